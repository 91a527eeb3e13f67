"""Data of the simulated stores: name, currency, language and a plausible address per marketplace."""

from dataclasses import dataclass

from sellergate_amazon.marketplaces import marketplace_by_id


@dataclass(frozen=True, slots=True)
class Country:
    """A marketplace's store and the town of its buyers."""

    code: str
    domain: str
    name: str
    currency: str
    language: str
    city: str
    postal_code: str


_ROWS = (
    ("CA", "amazon.ca", "CAD", "en_CA", "Toronto", "M5V 2T6"),
    ("US", "amazon.com", "USD", "en_US", "Springfield", "62701"),
    ("MX", "amazon.com.mx", "MXN", "es_MX", "Puebla", "72000"),
    ("BR", "amazon.com.br", "BRL", "pt_BR", "Curitiba", "80010-000"),
    ("IE", "amazon.ie", "EUR", "en_IE", "Cork", "T12 X70A"),
    ("ES", "amazon.es", "EUR", "es_ES", "Valencia", "46001"),
    ("UK", "amazon.co.uk", "GBP", "en_GB", "Leeds", "LS1 4AP"),
    ("FR", "amazon.fr", "EUR", "fr_FR", "Nantes", "44000"),
    ("BE", "amazon.com.be", "EUR", "fr_BE", "Namur", "5000"),
    ("NL", "amazon.nl", "EUR", "nl_NL", "Utrecht", "3511"),
    ("DE", "amazon.de", "EUR", "de_DE", "Kassel", "34117"),
    ("IT", "amazon.it", "EUR", "it_IT", "Modena", "41121"),
    ("SE", "amazon.se", "SEK", "sv_SE", "Uppsala", "753 20"),
    ("ZA", "amazon.co.za", "ZAR", "en_ZA", "Durban", "4001"),
    ("PL", "amazon.pl", "PLN", "pl_PL", "Lublin", "20-001"),
    ("EG", "amazon.eg", "EGP", "ar_AE", "Giza", "12511"),
    ("TR", "amazon.com.tr", "TRY", "tr_TR", "Bursa", "16010"),
    ("SA", "amazon.sa", "SAR", "ar_AE", "Jeddah", "22230"),
    ("AE", "amazon.ae", "AED", "en_AE", "Sharjah", "00000"),
    ("IN", "amazon.in", "INR", "en_IN", "Pune", "411001"),
    ("SG", "amazon.sg", "SGD", "en_SG", "Singapore", "018956"),
    ("AU", "amazon.com.au", "AUD", "en_AU", "Hobart", "7000"),
    ("JP", "amazon.co.jp", "JPY", "ja_JP", "Sendai", "980-0021"),
)

_BY_CODE = {
    code: Country(code, f"www.{domain}", domain.capitalize(), currency, language, city, postal_code)
    for code, domain, currency, language, city, postal_code in _ROWS
}


def country_of(marketplace_id: str) -> Country:
    """Return the country of a marketplace ID. Raises KeyError for an unknown one."""
    marketplace = marketplace_by_id(marketplace_id)
    if marketplace is None:
        raise KeyError(marketplace_id)
    return _BY_CODE[marketplace.code]
