"""Report and feed documents: downloads and uploads as streams, at the addresses that Amazon gives."""
