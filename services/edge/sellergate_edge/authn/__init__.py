"""Authentication of users by JSON Web Tokens, signed with a shared secret or a published key."""
