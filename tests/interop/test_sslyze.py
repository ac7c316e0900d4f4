"""sslyze, a scanner of TLS servers, must find nothing old and nothing weak (RFC 8996, RFC 9325)."""

import os
from importlib import import_module

import pytest
from support.serving import Serving


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    running = Serving(tmp_path_factory.mktemp("serve"), "--quiet")
    yield running
    assert running.stop() == 0


@pytest.mark.interop
@pytest.mark.parametrize(("role", "starttls"), [("submissions", False), ("submission", True), ("mx", True)])
def test_T09_old_tls_is_refused_and_new_tls_is_there(serving, role, starttls):
    sslyze = import_module("sslyze") if os.environ.get("CI") else pytest.importorskip("sslyze")
    host, port = serving.place(role, "mx.bob.example" if role == "mx" else "mail.alice.example")
    commands = sslyze.ScanCommand
    wanted = {
        commands.SSL_2_0_CIPHER_SUITES, commands.SSL_3_0_CIPHER_SUITES, commands.TLS_1_0_CIPHER_SUITES,
        commands.TLS_1_1_CIPHER_SUITES, commands.TLS_1_2_CIPHER_SUITES, commands.TLS_1_3_CIPHER_SUITES,
        commands.TLS_COMPRESSION, commands.SESSION_RENEGOTIATION, commands.HEARTBLEED,
    }  # fmt: skip
    upgrade = sslyze.ProtocolWithOpportunisticTlsEnum.SMTP if starttls else None
    request = sslyze.ServerScanRequest(
        server_location=sslyze.ServerNetworkLocation(hostname="localhost", port=port, ip_address=host),
        network_configuration=sslyze.ServerNetworkConfiguration(
            tls_server_name_indication="localhost", tls_opportunistic_encryption=upgrade
        ),
        scan_commands=wanted,
    )
    scanner = sslyze.Scanner()
    scanner.queue_scans([request])
    (result,) = scanner.get_results()
    assert result.scan_status == sslyze.ServerScanStatusEnum.COMPLETED, result.connectivity_error_trace
    found = result.scan_result
    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert getattr(found, f"{old}_cipher_suites").result.accepted_cipher_suites == [], old
    for new in ("tls_1_2", "tls_1_3"):
        assert getattr(found, f"{new}_cipher_suites").result.accepted_cipher_suites, new
    assert not found.tls_compression.result.supports_compression
    assert not found.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos
    assert not found.heartbleed.result.is_vulnerable_to_heartbleed
