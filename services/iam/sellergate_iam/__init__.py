"""The iam service: temporary AWS credentials of accounts' roles, and signatures made with them."""
