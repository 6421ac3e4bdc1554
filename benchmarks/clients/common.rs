/// Prints what the bench reads: how long it took, and the most memory that was ever in use.
fn report(began: std::time::Instant, size: usize) {
    let seconds = began.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    println!("{}", serde_json::json!({"seconds": seconds, "size": size, "peak_kib": kib}));
}

fn arguments() -> (String, String, usize) {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("MODE URL COUNT");
    let (mode, url) = (next(), next());
    (mode, url, next().parse().expect("a number"))
}
