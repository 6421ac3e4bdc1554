//! The guard against a table of hostile and harmless addresses.

use super::*;

#[test]
fn refuses_private_addresses_in_every_spelling() {
    let guard = Guard::new::<&str>([]).unwrap();
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1.:80/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://192.0.0.1/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:1::1]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[ff02::1]/",
        "http://[2001:db8::1]/",
        "http://user:secret@127.0.0.1/",
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
    ] {
        let refusal = guard.check(url).expect_err(url);
        assert_eq!(refusal.kind(), TransportErrorKind::Refused, "{url}");
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
}

#[test]
fn lets_public_and_allowed_addresses_through() {
    let guard = Guard::new([
        "127.0.0.1:3901",
        "10.1.0.0/16",
        "[::1]:90",
        "mcp.internal",
        "db.internal:5432",
    ])
    .unwrap();
    for url in [
        "https://93.184.216.34/",
        "https://[2606:2800:220:1::1]/",
        "http://127.0.0.1:3901/mcp",
        "http://localhost:3901/mcp",
        "http://[::ffff:127.0.0.1]:3901/",
        "http://10.1.2.3/",
        "http://[::1]:90/",
        "http://mcp.internal:1234/",
        "https://example.com/",
    ] {
        assert!(guard.check(url).is_ok(), "{url}");
    }
    for url in ["http://127.0.0.1:3902/", "http://10.2.0.1/", "http://[::1]:91/"] {
        assert!(guard.check(url).is_err(), "{url}");
    }
}

#[test]
fn explains_a_rule_that_cannot_be_read() {
    let error = Guard::new(["http://nonsense"]).unwrap_err().to_string();
    assert!(error.contains("`http://nonsense`") && error.contains("host:port"), "{error}");
}

#[tokio::test]
async fn refuses_names_by_what_they_resolve_to() {
    let transport = Guard::new::<&str>([]).unwrap().transport().unwrap();
    for port in [9, 1] {
        let request = http::Request::get(format!("http://localhost:{port}/?key=secret"))
            .body(Body::empty())
            .unwrap();
        let refusal = transport.send(request).await.unwrap_err();
        assert_eq!(refusal.kind(), TransportErrorKind::Refused, "{refusal}");
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
}
