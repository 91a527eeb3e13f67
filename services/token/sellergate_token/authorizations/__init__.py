"""Amazon's website authorization, from consent through state and redirect to the connected account."""
