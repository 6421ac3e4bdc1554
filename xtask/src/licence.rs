//! SPDX licence expressions: is there a way to comply using allowed licences only?

/// Whether `expression` can be met with licences from `allowed`.
///
/// `/` is read as `OR`, as older manifests mean it. A licence `WITH` an exception is another
/// licence, listed in full. What is not an expression is not allowed.
pub(crate) fn permitted(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser { words: spaced.split_whitespace().collect(), allowed };
    parser.words.reverse();
    let outcome = parser.alternatives();
    outcome == Some(true) && parser.words.is_empty()
}

struct Parser<'a> {
    /// What is left to read, next word last.
    words: Vec<&'a str>,
    allowed: &'a [&'a str],
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut any = self.conjunction()?;
        while self.accept("OR") {
            any |= self.conjunction()?;
        }
        Some(any)
    }

    fn conjunction(&mut self) -> Option<bool> {
        let mut all = self.single()?;
        while self.accept("AND") {
            all &= self.single()?;
        }
        Some(all)
    }

    fn single(&mut self) -> Option<bool> {
        if self.accept("(") {
            let inner = self.alternatives()?;
            return self.accept(")").then_some(inner);
        }
        let mut licence = self.words.pop()?.to_owned();
        if self.accept("WITH") {
            licence = format!("{licence} WITH {}", self.words.pop()?);
        }
        Some(self.allowed.contains(&licence.as_str()))
    }

    fn accept(&mut self, word: &str) -> bool {
        let next = self.words.last() == Some(&word);
        if next {
            self.words.pop();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::permitted;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let check = |expression: &str| permitted(expression, &["MIT", "Apache-2.0", "ISC"]);
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "Apache-2.0 AND ISC",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (GPL-3.0",
            "MIT ISC",
            "OR",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }
}
