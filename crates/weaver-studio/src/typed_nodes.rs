//! The table of typed nodes: `nodes.llm(...)` and its siblings with their arguments.

/// One kind of typed node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeType {
    /// `llm`, `http`, `condition` …
    pub name: &'static str,
    /// `input`, `agent`, `tool`, `logic` or `output`: its place in the palette.
    pub group: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Needs the server: a file on the command line can hold it, not run it.
    pub needs_server: bool,
    /// The arguments, in the order of the form.
    pub arguments: &'static [Argument],
}

/// One keyword argument of a typed node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument {
    /// The keyword.
    pub name: &'static str,
    /// What it takes.
    pub kind: ArgumentKind,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is left out, as Python text.
    pub default: &'static str,
    /// One sentence with unit and meaning.
    pub doc: &'static str,
}

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArgumentKind {
    /// Text as it is.
    Text,
    /// A Jinja template over the state.
    Template,
    /// A Jinja expression over the state.
    Expression,
    /// A state key.
    Key,
    /// The name of a node of the same graph, or `END`.
    Node,
    /// `True` or `False`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// A whole number or text out of a list (`join=2`, `join="all"`).
    IntOrOneOf(&'static [&'static str]),
    /// Text out of a list.
    OneOf(&'static [&'static str]),
    /// A list.
    List,
    /// A dict with text keys.
    Dict,
    /// A list or a dict.
    ListOrDict,
    /// A schema class of the file or a JSON Schema dict.
    Schema,
    /// Any literal.
    Any,
}

/// All typed nodes, in the order of the palette.
pub const NODE_TYPES: &[NodeType] = &[];

/// The typed node of a name.
pub fn node_type(name: &str) -> Option<&'static NodeType> {
    NODE_TYPES.iter().find(|node| node.name == name)
}
