"""One SP-API call from authorization to response: the pipeline, its retries and breakers, pages and diagnostics."""
