"""URLs of Redis: the meaning of each form, and errors that do not show the content of an invalid one."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sellergate_common.redis_url import Kind, Login, RedisTls, parse_redis_url
from sellergate_common.settings import CacheSettings, SettingsError, read_settings

from tests.conftest import TestAuthority


@pytest.mark.parametrize(
    ("url", "kind", "tls", "nodes"),
    [
        ("redis://a", Kind.SINGLE, False, [("a", 6379)]),
        ("rediss://a.example:7/", Kind.SINGLE, True, [("a.example", 7)]),
        ("redis://[::1]:7000", Kind.SINGLE, False, [("::1", 7000)]),
        ("redis://[::1]", Kind.SINGLE, False, [("::1", 6379)]),
        ("redis+sentinel://a,b:7/main", Kind.SENTINEL, False, [("a", 26379), ("b", 7)]),
        ("rediss+sentinel://a/main", Kind.SENTINEL, True, [("a", 26379)]),
        ("redis+cluster://a:1,b:2,c", Kind.CLUSTER, False, [("a", 1), ("b", 2), ("c", 6379)]),
        ("rediss+cluster://a", Kind.CLUSTER, True, [("a", 6379)]),
    ],
)
def test_each_shape_is_read(url: str, kind: Kind, tls: bool, nodes: list[tuple[str, int]]) -> None:
    read = parse_redis_url(SecretStr(url))
    assert (read.kind, read.tls, list(read.nodes)) == (kind, tls, nodes)


def test_logins_are_percent_decoded_and_those_of_sentinels_are_their_own() -> None:
    read = parse_redis_url(
        SecretStr("redis+sentinel://gateway:p%2Fq%40@a,b/the%20one?db=3&sentinel_user=s&sentinel_password=t%26")
    )
    assert read.login == Login("gateway", SecretStr("p/q@"))
    assert read.sentinel_login == Login("s", SecretStr("t&"))
    assert (read.name, read.db) == ("the one", 3)
    assert parse_redis_url(SecretStr("redis://:only@a")).login == Login(None, SecretStr("only"))
    assert parse_redis_url(SecretStr("redis://a")).login == Login()


@pytest.mark.parametrize(
    ("url", "db"), [("redis://a/2", 2), ("redis://a?db=4", 4), ("redis://a/", 0), ("redis+cluster://a/0", 0)]
)
def test_the_database(url: str, db: int) -> None:
    assert parse_redis_url(SecretStr(url)).db == db


@pytest.mark.parametrize(
    ("url", "problem_part"),
    [
        ("hunter2", "redis://host, redis"),
        ("http://u:hunter2@a", "redis://host, redis"),
        ("redis://", "redis://host, redis"),
        ("redis+sentinels://u:hunter2@a/x", "redis://host, redis"),
        ("redis://u:hunter2@a,b", "one host"),
        ("redis+sentinel://u:hunter2@a,b", "/name"),
        ("redis+cluster://u:hunter2@a/1", "0 only"),
        ("redis://u:hunter2@a/hunter2", "a number"),
        ("redis://u:hunter2@a:hunter2", "host:port"),
        ("redis://u:hunter2@a:0", "host:port"),
        ("redis://u:hunter2@a:99999", "host:port"),
        ("redis+cluster://u:hunter2@a,", "host:port"),
        ("redis://hunter2@a", "password where"),
        ("redis://u:hunter2@a?ssl_cert_reqs=none", "no parameters but db"),
        ("redis://u:hunter2@a?hunter2=1", "no parameters but db"),
        ("redis+sentinel://a/x?sentinel_user=hunter2", "sentinel_password where"),
    ],
)
def test_an_error_about_a_bad_url_names_the_setting_and_hides_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str, problem_part: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError) as caught:
        read_settings(CacheSettings)
    (problem,) = caught.value.problems
    assert problem.startswith("REDIS_URL: must ")
    assert problem_part in problem
    assert "hunter2" not in repr(caught.value) + problem


def test_a_parsed_url_shows_no_password() -> None:
    assert "hunter2" not in repr(parse_redis_url(SecretStr("redis+sentinel://u:hunter2@a/x?sentinel_password=hunter2")))


def tls(**files: Path) -> CacheSettings:
    return CacheSettings(
        redis_url=SecretStr("rediss://a"), **{f"redis_tls_{name}_file": file for name, file in files.items()}
    )


def test_files_for_tls_are_checked_at_the_start(authority: TestAuthority, tmp_path: Path) -> None:
    ca, cert, key = authority.files("redis")
    assert tls(ca=ca, cert=cert, key=key).redis_tls == RedisTls(ca, cert, key)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    for files in ({"ca": garbage}, {"cert": cert, "key": authority.files("other")[2]}):
        with pytest.raises(ValidationError, match="must hold PEM and match each other"):
            tls(**files)
    with pytest.raises(ValidationError, match="both or none"):
        tls(cert=cert)
    with pytest.raises(ValidationError, match="begin with rediss"):
        CacheSettings(redis_url=SecretStr("redis+cluster://a"), redis_tls_ca_file=ca)


REMOTE = ("redis://cache", "redis://10.0.0.7", "redis+sentinel://127.0.0.1,10.0.0.7/main", "redis+cluster://[fd00::1]")
NEAR = ("redis://localhost/1", "redis://127.8.0.1", "redis+cluster://[::1],localhost")


@pytest.mark.parametrize("url", REMOTE)
def test_a_server_on_another_machine_needs_tls(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError, match="SELLERGATE_REDIS_ALLOW_PLAIN=true"):
        read_settings(CacheSettings)
    monkeypatch.setenv("SELLERGATE_REDIS_ALLOW_PLAIN", "true")
    assert read_settings(CacheSettings).redis_allow_plain
    monkeypatch.delenv("SELLERGATE_REDIS_ALLOW_PLAIN")
    monkeypatch.setenv("REDIS_URL", url.replace("redis", "rediss", 1))
    assert read_settings(CacheSettings)


@pytest.mark.parametrize("url", NEAR)
def test_a_server_on_this_machine_needs_no_tls(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert read_settings(CacheSettings)
