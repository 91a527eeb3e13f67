"""Programs that use SDKs as sellers' programs do, with only Sellergate's URLs and credentials; each prints its results."""
