"""Amazon's website authorization: consent, state and redirect, up to the connected account."""
