//! What can be read out of a text without a model: words, numbers, listed items,
//! phrases after a preposition.

/// Words that say nothing about what is wanted.
const EMPTY_WORDS: [&str; 46] = [
    "the", "and", "for", "with", "you", "your", "this", "that", "these", "those", "from", "into",
    "what", "which", "who", "how", "when", "where", "why", "are", "was", "were", "can", "could",
    "would", "should", "will", "please", "tell", "about", "have", "has", "had", "not", "but",
    "its", "our", "any", "all", "use", "used", "given", "get", "gets", "out", "them",
];
/// What ends a phrase.
const PHRASE_ENDS: [&str; 22] = [
    "and", "or", "then", "on", "for", "from", "to", "at", "with", "by", "please", "today",
    "tomorrow", "now", "right", "is", "are", "in", "using", "that", "which", "as",
];
/// Beginnings of a request.
const REQUESTS: [&str; 40] = [
    "what",
    "who",
    "whom",
    "which",
    "when",
    "where",
    "why",
    "how",
    "find",
    "search",
    "get",
    "book",
    "look",
    "show",
    "tell",
    "give",
    "calculate",
    "compute",
    "please",
    "can",
    "could",
    "would",
    "list",
    "check",
    "fetch",
    "read",
    "write",
    "send",
    "create",
    "make",
    "update",
    "delete",
    "cancel",
    "order",
    "buy",
    "need",
    "want",
    "help",
    "request",
    "transfer",
];

/// The words that carry meaning, in lower case and in order.
pub(super) fn words(text: &str) -> Vec<String> {
    split(text).filter(|word| word.len() > 2 && !EMPTY_WORDS.contains(&word.as_str())).collect()
}

/// Whether two words are forms of one: `search` and `searches`.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let shorter = a.chars().count().min(b.chars().count());
    let longer = a.chars().count().max(b.chars().count());
    // `add` and `adds`, `multiply` and `multiplied`; not `assist` and `assign`.
    let ending = common == shorter && shorter > 2 && longer - shorter < 3;
    ending || common >= 4.max(shorter.saturating_sub(1))
}

/// How many words of one list the other has a form of.
pub(super) fn shared(words: &[String], others: &[String]) -> usize {
    words.iter().filter(|word| others.iter().any(|other| alike(word, other))).count()
}

/// Whether a text asks for something to be done or told.
pub(super) fn asks(text: &str) -> bool {
    text.contains(['?', '？']) || split(text).any(|word| REQUESTS.contains(&word.as_str()))
}

/// The sentences, also those that `then` divides.
pub(super) fn clauses(text: &str) -> Vec<String> {
    let text = text.replace(" then ", "\n").replace("; ", "\n");
    let mut clauses = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let ends = matches!(c, '。' | '！' | '？' | '\n')
            || (matches!(c, '.' | '!' | '?') && rest.peek().is_none_or(|c| c.is_whitespace()));
        let clause = clauses.last_mut().expect("there is always one");
        match ends {
            true => clauses.push(String::new()),
            false => clause.push(c),
        }
    }
    clauses.retain(|clause| !clause.trim().is_empty());
    clauses
}

/// The numbers written in a text, in order.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = f64> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .filter_map(|word| word.trim_end_matches(['.', '-']).parse().ok())
}

/// The items of a bulleted or numbered list, or of an enumeration behind a colon.
pub(super) fn listed(text: &str) -> Vec<String> {
    let bulleted = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = match numbered.len() < line.len() {
            true => numbered.strip_prefix(['.', ')']),
            false => line.strip_prefix(['-', '*', '•']),
        };
        rest.filter(|rest| rest.starts_with(' ')).map(|rest| rest.trim().to_string())
    });
    let bulleted: Vec<String> = bulleted.filter(|item| !item.is_empty()).collect();
    if bulleted.len() > 1 {
        return bulleted;
    }
    let enumerated = text.lines().filter_map(|line| {
        let (_, rest) = line.rsplit_once(": ")?;
        let rest = rest.trim_end_matches(['.', '!', '?']).replace(" and ", ", ");
        let items = rest.split(',').map(|item| item.trim().to_string());
        let items: Vec<String> = items.filter(|item| !item.is_empty()).collect();
        let short = items.iter().all(|item| item.split_whitespace().count() <= 5);
        (items.len() > 1 && short).then_some(items)
    });
    enumerated.into_iter().next().unwrap_or_default()
}

/// What stands in double quotes, or in single ones that are no apostrophes.
pub(super) fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (open, close) in [('"', '"'), ('“', '”'), ('\'', '\''), ('`', '`')] {
        let mut rest = text;
        while let Some(start) = rest.find(open) {
            let before = rest[..start].chars().next_back();
            let inner = &rest[start + open.len_utf8()..];
            rest = inner;
            if before.is_some_and(char::is_alphanumeric) {
                continue;
            }
            let Some(end) = inner.find(close) else { break };
            rest = &inner[end + close.len_utf8()..];
            if end > 0 && !inner[..end].contains('\n') {
                found.push(inner[..end].to_string());
            }
        }
    }
    found
}

/// The phrase behind the first of some prepositions, up to the next one.
pub(super) fn phrase_after(text: &str, prepositions: &[&str]) -> Option<String> {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let at = prepositions.iter().find_map(|preposition| {
        tokens.iter().position(|token| token.eq_ignore_ascii_case(preposition))
    })?;
    let mut phrase: Vec<&str> = Vec::new();
    for token in &tokens[at + 1..] {
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
        if PHRASE_ENDS.contains(&bare.to_lowercase().as_str()) {
            break;
        }
        if !(phrase.is_empty() && matches!(bare.to_lowercase().as_str(), "the" | "a" | "an")) {
            phrase.push(token.trim_end_matches([',', '.', '?', '!', ';', ':']));
        }
        if token.ends_with([',', '.', '?', '!', ';', ':']) || phrase.len() == 5 {
            break;
        }
    }
    (!phrase.is_empty()).then(|| phrase.join(" "))
}

/// The first run of capitalised words that does not begin a sentence.
pub(super) fn proper_name(text: &str) -> Option<String> {
    let mut run: Vec<&str> = Vec::new();
    let mut begins = true;
    for token in text.split_whitespace() {
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
        let is_name = bare.chars().next().is_some_and(char::is_uppercase) && bare != "I";
        if is_name && (!begins || !run.is_empty()) {
            run.push(bare);
        } else if !run.is_empty() {
            break;
        }
        begins = token.ends_with(['.', '!', '?', ':']);
        if begins && !run.is_empty() {
            break;
        }
    }
    (!run.is_empty()).then(|| run.join(" "))
}

/// The longest piece that reads as arithmetic.
pub(super) fn expression(text: &str) -> Option<String> {
    let pieces = text.split(|c: char| !(c.is_ascii_digit() || " +-*/().^%".contains(c)));
    let pieces = pieces.map(|piece| piece.trim().trim_end_matches('.').trim());
    let arithmetic = |piece: &&str| {
        let digits = piece.chars().any(|c| c.is_ascii_digit());
        digits && piece.trim_start_matches('-').contains(['+', '-', '*', '/', '^', '%'])
    };
    pieces.filter(arithmetic).max_by_key(|piece| piece.len()).map(String::from)
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_alike() {
        assert!(alike("search", "searches") && alike("multiply", "multiplied"));
        assert!(alike("add", "adds") && !alike("assist", "assign") && !alike("add", "address"));
    }

    #[test]
    fn lists_phrases_and_names_are_found() {
        assert_eq!(listed("Do:\n- one\n- two words\n"), ["one", "two words"]);
        assert_eq!(listed("Compare these: cats, dogs and birds."), ["cats", "dogs", "birds"]);
        assert_eq!(listed("No list, really, of any kind"), [""; 0]);
        let text = "what is the weather in New York today?";
        assert_eq!(phrase_after(text, &["in"]).as_deref(), Some("New York"));
        assert_eq!(proper_name("I met Ann Lee in Rome.").as_deref(), Some("Ann Lee"));
        assert_eq!(expression("What is (2 + 3) * 4?").as_deref(), Some("(2 + 3) * 4"));
        assert_eq!(quoted("say \"hi\" but don't 'bow'"), ["hi", "bow"]);
        assert_eq!(clauses("Add 3 and 4. Then wait").len(), 2);
    }
}
