//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to the public internet.
///
/// Refused is what [IANA lists](https://www.iana.org/assignments/iana-ipv4-special-registry) as
/// not globally reachable, multicast, and where clouds keep their metadata.
/// An IPv6 address that carries an IPv4 one (mapped, translated, compatible, NAT64, 6to4, ISATAP)
/// is judged by that, since that is where its traffic goes. Teredo, whose relays are chosen by
/// the address itself, and NAT64 for local use are refused altogether.
///
/// ```
/// use interactions_transport::guard::is_public;
///
/// assert!(is_public("93.184.216.34".parse()?));
/// assert!(!is_public("169.254.169.254".parse()?));
/// assert!(!is_public("64:ff9b::10.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(Embedded::Whole(inner)) => is_public_v4(inner),
            Some(Embedded::Interface(inner)) => is_public_v4(inner) && is_public_v6(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let reserved = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // shared address space of carriers
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (18..20).contains(&b)) // benchmarking
        || [a, b, c, d] == [168, 63, 129, 16]; // the host below a virtual machine on Azure
    !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global_unicast = (0x2000..0x4000).contains(&a);
    let reserved = match a {
        // Teredo, ORCHID and other protocol assignments; documentation.
        0x2001 => b < 0x0200 || b == 0x0db8,
        // Documentation.
        0x3fff => b < 0x1000,
        _ => false,
    };
    global_unicast && !reserved
}

enum Embedded {
    /// The IPv6 prefix only says how the IPv4 address is to be reached.
    Whole(Ipv4Addr),
    /// The IPv4 address stands in the interface part behind any prefix.
    Interface(Ipv4Addr),
}

/// The IPv4 address that traffic to this IPv6 address would reach.
fn embedded_v4(address: Ipv6Addr) -> Option<Embedded> {
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        // Mapped (::ffff:a.b.c.d), translated (::ffff:0:a.b.c.d) and compatible (::a.b.c.d).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low] => Some(Embedded::Whole(join(high, low))),
        // NAT64, well-known prefix. Its local prefix 64:ff9b:1::/48 is not global unicast.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Embedded::Whole(join(high, low))),
        // 6to4.
        [0x2002, high, low, ..] => Some(Embedded::Whole(join(high, low))),
        // ISATAP, with and without the bit for addresses that are unique everywhere.
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(Embedded::Interface(join(high, low))),
        _ => None,
    }
}
