//! The guard against tables of hostile and harmless addresses.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use proptest::prelude::*;

use super::*;

const HOSTILE: &[&str] = &[
    // Loopback, in every spelling.
    "http://127.0.0.1/",
    "http://127.0.0.1:8080/",
    "http://127.255.255.254/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7F.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0x0.0.01/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://127.0.0.1./",
    "http://127.1.:80/",
    "http://%31%32%37.0.0.1/",
    "http://127%2E0%2E0%2E1/",
    "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
    "http://127\u{3002}0\u{3002}0\u{3002}1/",
    "http://\u{2460}\u{2461}\u{2466}.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "http:////127.0.0.1/",
    "  http://127.0.0.1/",
    "ht\ntp://127.0.0.1/",
    "HTTP://127.0.0.1/",
    // User information that looks like a host.
    "http://user:secret@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1:80/",
    "http://example.com%2F@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://127.0.0.1#@example.com/",
    "http://127.0.0.1?@example.com/",
    // Private, shared and reserved networks.
    "http://0.0.0.0/",
    "http://0/",
    "http://0.1.2.3/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://100.100.100.200/",
    "http://169.254.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://0xa9fea9fe/latest/meta-data",
    "http://2852039166/latest/meta-data",
    "http://168.63.129.16/metadata",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.1/",
    "http://192.0.0.192/opc/v2/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://192.168.1.1/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    // IPv6.
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[::2]/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data",
    "http://[ff02::1]/",
    "http://[ff0e::1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff:fff::1]/",
    "http://[2001:2::1]/",
    "http://[2001:10::1]/",
    "http://[2001:20::1]/",
    "http://[5f00::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[2606:4700::1%25lo]/",
    // IPv4 inside IPv6.
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::FFFF:a9fe:a9fe]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::a00:1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::93.184.216.34]/",
    "http://[64:ff9b:1:a00::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2002:c0a8:101::1]/",
    "http://[2001:0:1::1]/",
    "http://[2001::7f00:1]/",
    "http://[2606:4700::5efe:10.0.0.1]/",
    "http://[2606:4700::200:5efe:192.168.0.1]/",
    "http://[fe80::5efe:93.184.216.34]/",
    // Other schemes and no hosts.
    "ftp://93.184.216.34/",
    "file:///etc/passwd",
    "gopher://93.184.216.34:6379/_FLUSHALL",
    "data:text/plain,hello",
    "unix:/run/docker.sock",
    "ws://93.184.216.34/",
    "javascript:alert(1)",
];

const HARMLESS: &[&str] = &[
    "http://93.184.216.34/",
    "https://93.184.216.34:8443/path?query",
    "https://1.1.1.1/",
    "https://9.255.255.255/",
    "https://11.0.0.1/",
    "https://100.63.255.255/",
    "https://100.128.0.0/",
    "https://126.255.255.255/",
    "https://128.0.0.1/",
    "https://168.63.129.15/",
    "https://169.253.255.255/",
    "https://169.255.0.0/",
    "https://172.15.255.255/",
    "https://172.32.0.0/",
    "https://192.0.1.1/",
    "https://192.167.255.255/",
    "https://192.169.0.0/",
    "https://198.17.255.255/",
    "https://198.20.0.0/",
    "https://223.255.255.255/",
    "https://[2606:2800:220:1::1]/",
    "https://[2001:4860:4860::8888]/",
    "https://[2001:200::1]/",
    "https://[2400:cb00::1]/",
    "https://[3fff:1000::1]/",
    "https://[::ffff:93.184.216.34]/",
    "https://[64:ff9b::93.184.216.34]/",
    "https://[2002:5db8:d822::1]/",
    "https://[2606:4700::5efe:93.184.216.34]/",
    "https://0x5db8d822/",
    // A backslash is a slash: what follows is a path.
    "http://93.184.216.34\\@127.0.0.1/",
    // Names are judged when they are resolved.
    "https://example.com/",
    "https://user:secret@example.com/",
    "https://b\u{fc}cher.example/",
    "https://10.0.0.1.example.com/",
    "https://127.0.0.1.nip.io/",
];

fn guard(rules: &[&str]) -> Guard {
    Guard::new(rules).unwrap()
}

#[test]
fn refuses_hostile_urls() {
    assert!(HOSTILE.len() >= 60);
    for url in HOSTILE {
        let refusal = guard(&[]).check(url).expect_err(url);
        // A zone makes it no URL at all.
        let kind = if url.contains('%') && url.contains('[') {
            TransportErrorKind::Request
        } else {
            TransportErrorKind::Refused
        };
        assert_eq!(refusal.kind(), kind, "{url}: {refusal}");
        assert!(!refusal.kind().may_have_been_sent());
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
}

#[test]
fn lets_harmless_urls_through() {
    assert!(HARMLESS.len() >= 20);
    for url in HARMLESS {
        assert!(guard(&[]).check(url).is_ok(), "{url}");
    }
}

#[test]
fn lets_through_what_the_operator_allows_and_nothing_beside_it() {
    let rules = [
        "127.0.0.1:3901",
        "10.1.0.0/16",
        "10.2.0.0/16:443",
        "[::1]:90",
        "fd00:1::7",
        "[fd00:2::/32]:443",
        "192.168.7",
        "mcp.internal",
        "db.internal:5432",
        "B\u{fc}cher.internal",
    ];
    let guard = guard(&rules);
    for url in [
        "http://127.0.0.1:3901/mcp",
        "http://0x7f000001:3901/",
        "http://localhost:3901/mcp",
        "http://LOCALHOST.:3901/mcp",
        "http://[::ffff:127.0.0.1]:3901/",
        "http://10.1.2.3/",
        "https://10.1.2.3:8443/",
        "https://10.2.2.3/",
        "http://10.2.2.3:443/",
        "http://[::1]:90/",
        "http://[fd00:1::7]:1234/",
        "https://[fd00:2:3::4]/",
        "http://192.168.0.7/",
        "http://mcp.internal:1234/",
        "http://db.internal:5432/",
    ] {
        assert!(guard.check(url).is_ok(), "{url}");
    }
    for url in [
        "http://127.0.0.1:3902/",
        "http://localhost:3902/",
        "http://api.localhost:3901/",
        "http://127.0.0.2:3901/",
        "http://10.2.0.1/",
        "http://10.3.0.1/",
        "http://[::1]:91/",
        "http://[fd00:1::8]/",
        "http://[fd00:2:3::4]/",
        "ftp://10.1.2.3/",
    ] {
        assert!(guard.check(url).is_err(), "{url}");
    }
    let by_name = |url: &str| guard.judge(&Url::parse(url).unwrap()).unwrap();
    for (url, admitted) in [
        ("http://MCP.internal./", true),
        ("http://db.internal:5432/", true),
        ("http://xn--bcher-kva.internal/", true),
        ("http://sub.mcp.internal/", false),
        ("http://mcp.internal.example.com/", false),
        ("http://db.internal/", false),
    ] {
        assert_eq!(matches!(by_name(url), Verdict::Admitted), admitted, "{url}");
    }
}

#[test]
fn explains_a_rule_that_cannot_be_read() {
    for rule in
        ["http://nonsense", "", ":80", "host:port", "host:99999", "[::1", "a b", "10.0.0.0/99"]
    {
        let error = Guard::new([rule]).expect_err(rule).to_string();
        assert!(error.contains(&format!("`{rule}`")) && error.contains("host:port"), "{error}");
    }
}

#[test]
fn judges_every_address_of_an_answer() {
    let found = || -> Vec<SocketAddr> {
        ["93.184.216.34:0", "10.1.0.1:0", "[::ffff:10.0.0.1]:0", "[2606:4700::1]:0", "[::1]:0"]
            .map(|address| address.parse().unwrap())
            .into()
    };
    let count = |rules: &[&str], all| admitted(found(), &guard(rules).allow, all).len();
    assert_eq!(count(&[], false), 2);
    assert_eq!(count(&["10.1.0.0/16"], false), 3);
    assert_eq!(count(&["10.0.0.0/8"], false), 4);
    assert_eq!(count(&["10.1.0.0/16:443"], false), 2);
    assert_eq!(count(&[], true), 5);
}

fn get(url: String) -> http::Request<Body> {
    http::Request::get(url).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn refuses_names_by_what_they_resolve_to() {
    let transport = guard(&[]).transport().unwrap();
    for port in [9, 1] {
        let request = get(format!("http://localhost:{port}/?key=secret"));
        let refusal = transport.send(request).await.unwrap_err();
        assert_eq!(refusal.kind(), TransportErrorKind::Refused, "{refusal}");
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
}

#[tokio::test]
async fn a_rule_for_one_loopback_address_does_not_open_the_other() {
    let says = |text: &str| {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{text}")
    };
    let v4 = serve(says("v4"));
    let port = v4.port();
    // Not every machine has IPv6; where it has, somebody else may listen on the same port.
    let v6 = TcpListener::bind(("::1", port)).ok().map(|listener| serve_on(listener, says("v6")));
    let ask = async |rules: &[&str]| {
        let transport = guard(rules).transport().unwrap();
        let response = transport.send(get(format!("http://localhost:{port}/"))).await?;
        let body = response.into_body().collect(99).await?;
        Ok::<_, TransportError>(String::from_utf8(body.to_vec()).unwrap())
    };
    for rule in [format!("127.0.0.1:{port}"), "127.0.0.1".to_owned(), "127.0.0.0/8".to_owned()] {
        assert_eq!(ask(&[&rule]).await.unwrap(), "v4", "{rule}");
    }
    for rule in [format!("[::1]:{port}"), "::1".to_owned()] {
        let answer = ask(&[&rule]).await;
        match v6 {
            Some(_) => assert_eq!(answer.unwrap(), "v6", "{rule}"),
            None => assert!(answer.is_err(), "{rule}"),
        }
    }
    let either = ask(&["127.0.0.1", "::1"]).await.unwrap();
    assert!(["v4", "v6"].contains(&either.as_str()), "{either}");
    assert_eq!(ask(&["127.0.0.2"]).await.unwrap_err().kind(), TransportErrorKind::Refused);
}

/// Answers one request after the other with `answer`.
fn serve(answer: String) -> SocketAddr {
    serve_on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
}

fn serve_on(listener: TcpListener, answer: String) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = [0; 4096];
            let _ = socket.read(&mut request);
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    address
}

#[tokio::test]
async fn a_redirect_to_a_private_address_comes_back_as_data() {
    let head = "connection: close\r\ncontent-length: 0\r\n\r\n";
    for status in [301, 302, 303, 307, 308] {
        let target = "http://169.254.169.254/latest/meta-data";
        let hop = serve(format!("HTTP/1.1 {status} X\r\nlocation: {target}\r\n{head}"));
        let transport = guard(&[&hop.to_string()]).transport().unwrap();
        let response = transport.send(get(format!("http://{hop}/"))).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["location"]),
            (status, &http::HeaderValue::from_static(target))
        );
        // Following it by hand is a request like any other.
        let refusal = transport.send(get(target.to_owned())).await.unwrap_err();
        assert_eq!(refusal.kind(), TransportErrorKind::Refused);
    }
}

#[test]
fn no_proxy_of_the_environment_is_used() {
    let answer = |text: &str| {
        serve(format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\n{text}"))
    };
    let (proxy, target) = (answer("proxy!"), answer("target"));
    // The environment belongs to the process, so another process has to look at it.
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "guard::tests::asks_through_the_environment", "--ignored"])
        .args(["--nocapture", "--test-threads=1"])
        .envs(
            ["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, format!("http://{proxy}"))),
        )
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("GUARD_TEST_TARGET", target.to_string())
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&child.stdout);
    assert!(seen.contains("guarded target, unguarded proxy!"), "{seen}");
}

#[tokio::test]
#[ignore = "a part of no_proxy_of_the_environment_is_used"]
async fn asks_through_the_environment() {
    let Ok(target) = std::env::var("GUARD_TEST_TARGET") else { return };
    let ask = async |transport: SharedTransport| {
        let response = transport.send(get(format!("http://{target}/"))).await.unwrap();
        String::from_utf8(response.into_body().collect(99).await.unwrap().to_vec()).unwrap()
    };
    let guarded = ask(guard(&[&target]).transport().unwrap()).await;
    let unguarded = ask(SharedTransport::new(ReqwestTransport::new().unwrap())).await;
    println!("guarded {guarded}, unguarded {unguarded}");
}

fn private_v4() -> impl Strategy<Value = Ipv4Addr> {
    let within = |network: [u8; 4], length: u32| {
        any::<u32>().prop_map(move |host| {
            Ipv4Addr::from(u32::from(Ipv4Addr::from(network)) | (host & (u32::MAX >> length)))
        })
    };
    prop_oneof![
        any::<u32>().prop_map(|host| Ipv4Addr::from(host & 0x00ff_ffff)),
        within([10, 0, 0, 0], 8),
        within([100, 64, 0, 0], 10),
        within([127, 0, 0, 0], 8),
        within([169, 254, 0, 0], 16),
        within([172, 16, 0, 0], 12),
        within([192, 168, 0, 0], 16),
        within([198, 18, 0, 0], 15),
        within([224, 0, 0, 0], 3),
    ]
}

/// One number as URLs allow it: decimal, hexadecimal or octal, with zeros before it.
fn number(value: u32, base: u8, zeros: usize) -> String {
    let zeros = "0".repeat(zeros);
    match base % 3 {
        0 => value.to_string(),
        1 => format!("0x{zeros}{value:x}"),
        _ => format!("0{zeros}{value:o}"),
    }
}

fn spelling(address: Ipv4Addr, parts: usize, bases: [u8; 4], zeros: usize, disguise: u8) -> String {
    let [a, b, c, d] = address.octets().map(u32::from);
    let values = match parts {
        1 => vec![u32::from(address)],
        2 => vec![a, b << 16 | c << 8 | d],
        3 => vec![a, b, c << 8 | d],
        _ => vec![a, b, c, d],
    };
    let numbers = values.iter().zip(bases).map(|(value, base)| number(*value, base, zeros));
    let text = numbers.collect::<Vec<_>>().join(".");
    match disguise % 5 {
        0 => text,
        1 => text + ".",
        2 => text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        3 => text.replace('.', "\u{ff0e}"),
        _ => text
            .chars()
            .map(|c| c.to_digit(10).and_then(|d| char::from_u32(0xff10 + d)).unwrap_or(c))
            .collect(),
    }
}

proptest! {
    #[test]
    fn every_spelling_of_a_private_address_is_refused(
        address in private_v4(),
        parts in 1usize..=4,
        bases in any::<[u8; 4]>(),
        zeros in 0usize..4,
        disguise in any::<u8>(),
        user in "([a-z.]{1,9}@)?",
    ) {
        let host = spelling(address, parts, bases, zeros, disguise);
        let url = format!("http://{user}{host}:8080/path");
        let refusal = guard(&[]).check(&url).expect_err(&url);
        prop_assert_eq!(refusal.kind(), TransportErrorKind::Refused, "{}", url);
    }

    #[test]
    fn a_private_address_inside_ipv6_is_refused(address in private_v4(), prefix in any::<u16>()) {
        let v4 = address.to_string();
        let [a, b, c, d] = address.octets();
        for url in [
            format!("http://[::ffff:{v4}]/"),
            format!("http://[::ffff:0:{v4}]/"),
            format!("http://[::{v4}]/"),
            format!("http://[64:ff9b::{v4}]/"),
            format!("http://[64:ff9b:1::{v4}]/"),
            format!("http://[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::{prefix:x}]/"),
            format!("http://[2606:{prefix:x}::5efe:{v4}]/"),
        ] {
            prop_assert!(guard(&[]).check(&url).is_err(), "{}", url);
        }
    }

    #[test]
    fn an_allowed_address_is_found_in_every_spelling(
        address in private_v4(),
        parts in 1usize..=4,
        bases in any::<[u8; 4]>(),
        disguise in any::<u8>(),
    ) {
        let host = spelling(address, parts, bases, 0, disguise);
        let guard = guard(&[&format!("{address}:8080")]);
        let allowed = guard.check(&format!("http://{host}:8080/"));
        prop_assert!(allowed.is_ok(), "{}", host);
        let other_port = guard.check(&format!("http://{host}:8081/"));
        prop_assert!(other_port.is_err(), "{}", host);
    }
}
