"""The iam service: temporary AWS credentials of sellers' roles, and signatures made with them."""
