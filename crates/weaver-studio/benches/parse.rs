//! How fast a file of 10,000 lines is read whole and after an edit.
//! `cargo bench --ignore-rust-version --locked -p weaver-studio`

use std::fmt::Write;
use std::time::{Duration, Instant};

use weaver_studio::{Document, parse};

fn main() {
    let text = file_of_lines(10_000);
    let rounds = if cfg!(debug_assertions) { 3 } else { 30 };
    let whole = best(rounds, || {
        std::hint::black_box(parse("bench.py", &text));
    });
    let mut document = Document::new("bench.py", &text);
    let place = text.find("return {\"log\"").expect("the file has such a line");
    let mut letter = false;
    let edit = best(rounds, || {
        letter = !letter;
        let (range, new) = if letter { (place..place, "x") } else { (place..place + 1, "") };
        std::hint::black_box(document.edit(range, new)).expect("the place is in the text");
    });
    let spec = &document.analysis().spec;
    println!(
        "{} lines, {} bytes, {} graphs, {} nodes, {} functions, {} problems",
        text.lines().count(),
        text.len(),
        spec.graphs.len(),
        spec.graphs.iter().map(|graph| graph.nodes.len()).sum::<usize>(),
        spec.functions.len(),
        spec.problems.len(),
    );
    let rate = text.len() as f64 / whole.as_secs_f64() / 1e6;
    println!("whole       {whole:>10.2?}  ({rate:.0} MB/s)");
    println!("after edit  {edit:>10.2?}");
}

fn best(rounds: u32, mut run: impl FnMut()) -> Duration {
    (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .expect("at least one round")
}

/// A file like real ones: helpers, constants, schemas, node functions, and several graphs.
fn file_of_lines(lines: usize) -> String {
    let mut text = String::from(
        "import json\nimport operator\nfrom typing import Annotated, TypedDict\n\
         from langchain_openai import ChatOpenAI\n\
         from langgraph.graph import END, START, StateGraph\n\n\
         llm = ChatOpenAI(model=\"gpt-4o\")\n\n",
    );
    let mut count = text.lines().count();
    let mut part = 0;
    while count < lines {
        let before = text.len();
        write!(
            text,
            r#"
class State{part}(TypedDict):
    """The state of part {part}."""
    question: str
    log: Annotated[list[str], operator.add]
    score: int


LIMIT_{part} = {part}
PROMPT_{part} = """Answer the question.
Be short; name your sources.
"""


def helper_{part}(items, limit=LIMIT_{part}):
    """Keep what is worth keeping."""
    kept = [item for item in items if len(item) > 3 and item not in ("none", "null")]
    for index, item in enumerate(kept):
        if index >= limit:
            break
        # A comment as there are many in real files.
        kept[index] = item.strip().lower()
    return kept


def think_{part}(state: State{part}) -> dict:
    question = state["question"]
    reply = llm.invoke(f"{{PROMPT_{part}}} {{question}}")
    try:
        parsed = json.loads(reply.content)
    except ValueError as error:
        return {{"log": [f"not JSON: {{error}}"]}}
    return {{"log": helper_{part}(parsed.get("items", [])), "score": len(parsed)}}


def route_{part}(state: State{part}) -> str:
    if state["score"] > LIMIT_{part}:
        return "done"
    return "think"


graph_{part} = StateGraph(State{part})
graph_{part}.add_node("think", think_{part})
graph_{part}.add_node("done", lambda state: {{"log": ["done"]}})
graph_{part}.add_edge(START, "think")
graph_{part}.add_conditional_edges("think", route_{part}, {{"done": "done", "think": "think"}})
graph_{part}.add_edge("done", END)
app_{part} = graph_{part}.compile()
"#
        )
        .expect("writing to a String cannot fail");
        count += text[before..].lines().count();
        part += 1;
    }
    text
}
