"""Facts about Amazon's Selling Partner API as data: marketplaces, regions and the catalogue of operations."""
