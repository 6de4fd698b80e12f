//! Files to edit: those of the repository, and generated ones in many styles.

use std::fs;
use std::path::{Path, PathBuf};

/// Numbers that follow from a seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another one.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }
}

/// Graph files of the repository by name.
pub fn repository() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["test_data/ok", "../../examples", "../../tests/differential/graphs"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).expect("a folder of the repository"))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("the files are text");
        (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text)
    };
    files.into_iter().map(read).collect()
}

/// How a generated file is written.
struct Style {
    quote: char,
    line_break: &'static str,
    indent: &'static str,
    calls: Calls,
    place: Place,
    ends_imported: bool,
    begin: &'static str,
    comments: bool,
    trailing_commas: bool,
    wide: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Calls {
    Statements,
    Chain,
    Backslashes,
    Pairs,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Module,
    Function,
    Method,
}

/// A file that looks like one that somebody wrote.
pub fn generated(seed: u64) -> String {
    let mut random = Random::new(seed);
    let style = Style {
        quote: *random.pick(&['"', '\'']),
        line_break: random.pick::<&str>(&["\n", "\n", "\n", "\r\n"]),
        indent: random.pick::<&str>(&["    ", "    ", "  ", "\t"]),
        calls: *random.pick(&[
            Calls::Statements,
            Calls::Statements,
            Calls::Statements,
            Calls::Chain,
            Calls::Backslashes,
            Calls::Pairs,
        ]),
        place: *random.pick(&[Place::Module, Place::Module, Place::Function, Place::Method]),
        ends_imported: !random.one_in(4),
        begin: random.pick::<&str>(&["START", "BEGIN"]),
        comments: !random.one_in(3),
        trailing_commas: random.one_in(2),
        wide: random.one_in(2),
    };
    let graphs = if random.one_in(4) { 2 } else { 1 };
    let mut lines = head(&style, &mut random);
    for graph in 0..graphs {
        lines.extend(graph_code(&style, &mut random, graph));
    }
    if !random.one_in(3) {
        lines.extend(["".into(), "if __name__ == \"__main__\":".into()]);
        lines.push("    print(\"ready\")  # nothing runs here".into());
    }
    let mut text = lines.join("\n");
    if !random.one_in(5) {
        text.push('\n');
    }
    let quote = style.quote.to_string();
    let text = text.replace('"', &quote);
    let indented: Vec<String> = text.split('\n').map(|line| indent(line, style.indent)).collect();
    indented.join(style.line_break)
}

fn indent(line: &str, unit: &str) -> String {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}{}", unit.repeat(spaces / 4), " ".repeat(spaces % 4), line.trim_start_matches(' '))
}

fn head(style: &Style, random: &mut Random) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if random.one_in(3) {
        lines.push("\"\"\"A workflow: \"a\" to \"b\".\"\"\"".replace("\"a\" to \"b\"", "a to b"));
    }
    lines.push("import operator".into());
    if random.one_in(2) {
        lines.push("from functools import partial".into());
    } else {
        lines.push("import functools as ft".into());
    }
    lines.push("from typing import Annotated, Literal, TypedDict".into());
    lines.push("".into());
    lines.push(match style.ends_imported {
        true if style.begin == "START" => {
            "from langgraph.graph import END, START, StateGraph".into()
        }
        true => "from langgraph.graph import (\n    END,\n    START as BEGIN,\n    StateGraph,\n)"
            .into(),
        false => "from langgraph.graph import StateGraph".to_string(),
    });
    lines.push("from langgraph.types import Command, Send".into());
    lines.push("from agentweaver import nodes".into());
    if style.comments {
        lines.extend(["".into(), "# The model that all nodes ask: \"n0\" is no node here.".into()]);
    }
    lines.push("MODEL = \"openai/gpt-4o\"".into());
    lines.extend(["".into(), "".into()]);
    match random.below(4) {
        0 => lines.extend(
            ["from dataclasses import dataclass, field", "", "", "@dataclass", "class State:"]
                .map(String::from),
        ),
        1 => lines.extend(
            ["from pydantic import BaseModel", "", "", "class State(BaseModel):"].map(String::from),
        ),
        _ => lines.push("class State(TypedDict):".into()),
    }
    if style.comments {
        lines.push("    \"\"\"What the nodes share.\"\"\"".into());
        lines.push("".into());
    }
    lines.push("    question: str".into());
    lines.push(match random.one_in(2) {
        true => "    log: Annotated[list[str], operator.add]  # grows".into(),
        false => {
            "    log: Annotated[\n        list[str],\n        operator.add,  # grows\n    ]".into()
        }
    });
    lines.push("    score: int".into());
    lines
}

/// A graph of a few nodes with its functions.
fn graph_code(style: &Style, random: &mut Random, graph: usize) -> Vec<String> {
    let count = 3 + random.below(6);
    let prefix = if graph == 0 { "n" } else { "m" };
    let names: Vec<String> = (0..count).map(|node| format!("{prefix}{node}")).collect();
    let mut functions: Vec<String> = Vec::new();
    let mut calls: Vec<String> = Vec::new();
    let mut sequence: Vec<usize> = Vec::new();
    for (node, name) in names.iter().enumerate() {
        let other = names[random.below(count)].clone();
        let more = names[random.below(count)].clone();
        functions.extend(["".into(), "".into()]);
        if style.comments && random.one_in(2) {
            functions.push(format!("# Before \"{other}\" comes this one."));
        }
        let plain = |functions: &mut Vec<String>| {
            functions.push(format!("def {name}(state: State) -> dict:"));
            functions.push(format!("    return {{\"log\": [\"{name}\"]}}"));
        };
        let call = match random.below(14) {
            0 => format!("add_node({name})"),
            1 => format!("add_node(\"{name}\", lambda state: {{\"log\": [\"{other}\"]}})"),
            2 => format!(
                "add_node(\"{name}\", nodes.llm(model=\"openai/gpt-4o\", prompt=\"Say {name}\", temperature=0.5))"
            ),
            3 => [
                format!("add_node(\"{name}\", nodes.llm("),
                "    model=MODEL,  # the large one".into(),
                format!("    prompt=(\n        \"First \"\n        \"then {other}\"\n    ),"),
                format!("    into=\"log\"{}", if style.trailing_commas { "," } else { "" }),
                "))".into(),
            ]
            .join("\n"),
            4 => format!(
                "add_node(\"{name}\", nodes.condition(rules=[{{\"if\": \"score > 3\", \"goto\": \"{other}\"}}, {{\"if\": \"score < 0\", \"goto\": \"{more}\"}}], default=\"{more}\"))"
            ),
            5 => format!(
                "add_node(\"{name}\", nodes.http(url=\"https://example.com/{{{{ question }}}}\", headers={{\"a\": \"{other}\", \"b\": \"2\"}}, allow_status=[404, 410], into=\"log\"))"
            ),
            6 => format!(
                "add_node(\"{name}\", nodes.intent(model=\"m\", text=\"{{{{ question }}}}\", intents={{\"buy\": {{\"description\": \"buys\", \"goto\": \"{other}\"}}, \"{more}\": \"asks\"}}, fallback=\"{more}\"))"
            ),
            7 => {
                functions.push(format!(
                    "def {name}(state: State) -> Command[Literal[\"{other}\", \"{more}\"]]:"
                ));
                functions.push("    # where to".into());
                functions.push(format!(
                    "    return Command(goto=\"{other}\" if state[\"score\"] else \"{more}\")"
                ));
                format!("add_node(\"{name}\", {name})")
            }
            8 => {
                functions.push(format!("def {name}_with(state: State, word: str) -> dict:"));
                functions.push("    return {\"log\": [word]}".into());
                let partial = if random.one_in(2) { "ft.partial" } else { "partial" };
                format!(
                    "add_node(\"{name}\", {partial}({name}_with, word=\"{other}\"), metadata={{\"{name}\": 1}})"
                )
            }
            9 if node + 2 < count && style.calls != Calls::Pairs => {
                plain(&mut functions);
                sequence.push(node);
                continue;
            }
            10 => format!(
                "add_node(\n    \"{name}\",  # its name\n    nodes.response(text=\"{{{{ log }}}}\"),\n)"
            ),
            _ => format!("add_node(\"{name}\", {name})"),
        };
        let is_used = call.contains(&format!(", {name})")) || call == format!("add_node({name})");
        if is_used && !functions.iter().any(|line| line.starts_with(&format!("def {name}("))) {
            plain(&mut functions);
        }
        calls.push(call);
    }
    if !sequence.is_empty() {
        let items: Vec<String> = sequence
            .iter()
            .map(|node| match random.one_in(2) {
                true => format!("(\"{0}\", {0})", names[*node]),
                false => names[*node].clone(),
            })
            .collect();
        calls.push(format!("add_sequence([{}])", items.join(", ")));
    }
    let (begin, end) = match style.ends_imported {
        true => (style.begin, "END"),
        false => ("\"__start__\"", "\"__end__\""),
    };
    match random.below(3) {
        0 if !style.ends_imported => calls.push(format!("set_entry_point(\"{}\")", names[0])),
        _ => calls.push(format!("add_edge({begin}, \"{}\")", names[0])),
    }
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for _ in 0..count {
        let edge = (random.below(count), random.below(count));
        let sequenced = sequence.windows(2).any(|pair| (pair[0], pair[1]) == edge);
        if edges.contains(&edge) || sequenced {
            continue;
        }
        edges.push(edge);
        let (from, to) = (&names[edge.0], &names[edge.1]);
        calls.push(match style.wide && random.one_in(3) {
            true => format!("add_edge(\n    \"{from}\",\n    \"{to}\",\n)"),
            false => format!("add_edge(\"{from}\", \"{to}\")"),
        });
    }
    if random.one_in(2) && count > 3 {
        calls.push(format!("add_edge([\"{}\", \"{}\"], \"{}\")", names[1], names[2], names[0]));
    }
    for branch in 0..random.below(3) {
        let (source, a, b) =
            (random.below(count), &names[random.below(count)], &names[random.below(count)]);
        if a == b {
            continue;
        }
        let function = format!("route_{prefix}{branch}");
        functions.extend(["".into(), "".into()]);
        let comma = if style.trailing_commas { "," } else { "" };
        let (annotation, routes, answers) = match random.below(7) {
            0 => (
                "str".into(),
                format!(", {{\"yes\": \"{a}\", \"no\": \"{b}\"}}"),
                ("yes".into(), "no".into()),
            ),
            1 => (
                "str".into(),
                format!(
                    ", {{\n    # routes\n    \"yes\": \"{a}\",\n    \"no\": {end}{comma}  # done\n}}"
                ),
                ("yes".into(), "no".into()),
            ),
            2 => ("str".into(), format!(", [\"{a}\", \"{b}\"]"), (a.clone(), b.clone())),
            3 => (format!("Literal[\"{a}\", \"{b}\"]"), String::new(), (a.clone(), b.clone())),
            4 => (
                "bool".into(),
                format!(", {{True: \"{a}\", False: \"{b}\"}}"),
                ("yes".into(), "no".into()),
            ),
            5 => (
                "str".into(),
                format!(", path_map={{\"yes\": \"{a}\", \"{b}\": \"{b}\"{comma}}}"),
                ("yes".into(), b.clone()),
            ),
            _ => ("str".into(), String::new(), (a.clone(), b.clone())),
        };
        functions.push(format!("def {function}(state: State) -> {annotation}:"));
        functions.push("    if state[\"score\"] > 2:  # enough".into());
        functions.push(format!("        return \"{}\"", answers.0));
        functions.push(format!("    return \"{}\"", answers.1));
        calls.push(format!("add_conditional_edges(\"{}\", {function}{routes})", names[source]));
    }
    calls.push(format!("add_edge(\"{}\", {end})", names[count - 1]));
    let mut code = functions;
    code.extend(["".into(), "".into()]);
    code.extend(builder(style, random, graph, &calls, &names));
    code
}

/// The calls in the style of the file.
fn builder(
    style: &Style,
    random: &mut Random,
    graph: usize,
    calls: &[String],
    names: &[String],
) -> Vec<String> {
    let variable = *random.pick(&["graph", "builder", "g", "workflow"]);
    let variable = format!("{variable}{}", if graph == 0 { "" } else { "2" });
    let (base, receiver) = match style.place {
        Place::Module => (0, variable.clone()),
        Place::Function => (1, variable.clone()),
        Place::Method => (2, format!("self.{variable}")),
    };
    let mut lines: Vec<String> = Vec::new();
    match style.place {
        Place::Module => {}
        Place::Function => lines.push(format!("def build{graph}():")),
        Place::Method => {
            lines.push(format!("class Agent{graph}:"));
            lines.push("    def __init__(self):".into());
        }
    }
    let interrupts = match random.below(3) {
        0 => format!("interrupt_before=[\"{}\", \"{}\"]", names[1], names[2]),
        1 => format!("interrupt_after=[\"{}\"]", names[0]),
        _ => String::new(),
    };
    let mut body: Vec<String> = Vec::new();
    if style.comments {
        body.push("# The graph itself".into());
    }
    let comment = |random: &mut Random, text: &str| match style.comments && random.one_in(3) {
        true => format!("  # {text}"),
        false => String::new(),
    };
    match style.calls {
        Calls::Statements => {
            body.push(format!("{receiver} = StateGraph(State)"));
            for call in calls {
                if style.comments && random.one_in(4) {
                    body.push("# next".into());
                }
                if random.one_in(8) {
                    body.push("".into());
                }
                body.push(format!("{receiver}.{call}{}", comment(random, "it is so")));
            }
            body.push(format!("{receiver}_app = {receiver}.compile({interrupts})"));
        }
        Calls::Chain => {
            body.push(format!("{receiver}_app = ("));
            body.push("    StateGraph(State)".into());
            for call in calls {
                if style.comments && random.one_in(5) {
                    body.push("    # next".into());
                }
                let call = call.replace('\n', "\n    ");
                body.push(format!("    .{call}{}", comment(random, "a link")));
            }
            body.push(format!("    .compile({interrupts})"));
            body.push(")".into());
        }
        Calls::Backslashes => {
            body.push(format!("{receiver} = StateGraph(State) \\"));
            for (at, call) in calls.iter().enumerate() {
                let more = if at + 1 < calls.len() { " \\" } else { "" };
                let call = call.replace('\n', "\n    ");
                body.push(format!("    .{call}{more}"));
            }
            body.push(format!("{receiver}_app = {receiver}.compile({interrupts})"));
        }
        Calls::Pairs => {
            body.push(format!("{receiver} = StateGraph(State)"));
            for pair in calls.chunks(2) {
                body.push(match pair {
                    [a, b] if random.one_in(2) => format!("{receiver}.{a}.{b}"),
                    [a, b] => format!("{receiver}.{a}; {receiver}.{b}{}", comment(random, "two")),
                    other => format!("{receiver}.{}", other[0]),
                });
            }
            body.push(format!("{receiver}_app = {receiver}.compile({interrupts})"));
        }
    }
    if style.place == Place::Function {
        body.push(format!("return {receiver}_app"));
    }
    let indent = "    ".repeat(base);
    let body = body.join("\n");
    lines.extend(body.split('\n').map(|line| match line.is_empty() {
        true => String::new(),
        false => format!("{indent}{line}"),
    }));
    lines
}
