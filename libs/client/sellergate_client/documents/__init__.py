"""Documents of Reports, Feeds and Data Kiosk: transferred as streams, read as rows, submitted as feeds."""
