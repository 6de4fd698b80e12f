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

/// The typed node of a name.
pub fn node_type(name: &str) -> Option<&'static NodeType> {
    NODE_TYPES.iter().find(|node| node.name == name)
}

impl NodeType {
    /// The argument of a keyword.
    pub fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}

/// An argument that may be left out.
const fn may(
    name: &'static str,
    kind: ArgumentKind,
    default: &'static str,
    doc: &'static str,
) -> Argument {
    Argument { name, kind, required: false, default, doc }
}

/// An argument that must be given.
const fn must(name: &'static str, kind: ArgumentKind, doc: &'static str) -> Argument {
    Argument { name, kind, required: true, default: "", doc }
}

use ArgumentKind::*;

/// All typed nodes, in the order of the palette.
pub static NODE_TYPES: &[NodeType] = &[
    NodeType {
        name: "user_input",
        group: "input",
        doc: "Asks the person who runs the graph and writes the answer to the state.",
        needs_server: false,
        arguments: &[
            may("message", Template, "\"Please answer.\"", "What is asked."),
            may(
                "fields",
                Dict,
                "None",
                "Form fields: name and type (`\"str\"`, `\"int\"`, `\"float\"`, `\"bool\"`, or a JSON Schema).",
            ),
            may("schema", Schema, "None", "Schema of the answer; instead of `fields`."),
            may(
                "into",
                Key,
                "None",
                "Key that gets the answer; without it each field goes to the key of its name.",
            ),
        ],
    },
    NodeType {
        name: "webhook",
        group: "input",
        doc: "Starts a run from an HTTP call with a signature.",
        needs_server: true,
        arguments: &[
            must("path", Text, "Path below the server's hook address."),
            may("method", OneOf(&["GET", "POST", "PUT"]), "\"POST\"", "HTTP method."),
            may("secret", Text, "None", "Name of the credential that signs the call."),
            may("into", Key, "None", "Key that gets the body."),
        ],
    },
    NodeType {
        name: "schedule",
        group: "input",
        doc: "Starts a run by the clock.",
        needs_server: true,
        arguments: &[
            must("cron", Text, "Cron line of five fields, in the time zone."),
            may("timezone", Text, "\"UTC\"", "IANA time zone."),
            may("input", Dict, "{}", "Input of each run."),
        ],
    },
    NodeType {
        name: "llm",
        group: "agent",
        doc: "Asks a model and writes the answer to the state.",
        needs_server: false,
        arguments: &[
            must(
                "model",
                Text,
                "Model, such as `openai/gpt-4o`, or an alias of the configuration.",
            ),
            may(
                "prompt",
                Template,
                "None",
                "Message to the model; without it the messages of `messages_key` are sent.",
            ),
            may("system", Template, "None", "System prompt."),
            may("messages_key", Key, "None", "Key with messages that are sent before the prompt."),
            may(
                "temperature",
                Number,
                "None",
                "Sampling temperature, 0 to 2; the provider's own default if left out.",
            ),
            may("max_tokens", Int, "None", "Most tokens of the answer."),
            may(
                "tools",
                List,
                "[]",
                "Tools that the model may call: functions of the file or names.",
            ),
            may("max_tool_rounds", Int, "10", "Most rounds of tool calls before the node fails."),
            may(
                "output_schema",
                Schema,
                "None",
                "Schema that the answer must fit; the value is then the parsed object.",
            ),
            may(
                "into",
                Key,
                "None",
                "Key that gets the answer; `messages` gets the whole message.",
            ),
        ],
    },
    NodeType {
        name: "intent",
        group: "agent",
        doc: "Lets a model choose one of several intents and goes on at its route.",
        needs_server: false,
        arguments: &[
            must("model", Text, "Model that chooses."),
            must("text", Template, "Text that is classified."),
            must(
                "intents",
                ListOrDict,
                "`{name: {\"description\": …, \"goto\": node}}`, `{name: description}` (the route is the node of that name), or a list of `{\"name\", \"description\", \"goto\"}`.",
            ),
            may("fallback", Node, "END", "Node for a text that has none of the intents."),
            may("into", Key, "None", "Key that gets the intent's name."),
        ],
    },
    NodeType {
        name: "rag",
        group: "agent",
        doc: "Finds passages in a knowledge base.",
        needs_server: true,
        arguments: &[
            must("knowledge_base", Text, "Name of the knowledge base."),
            must("query", Template, "What is searched."),
            may("top_k", Int, "5", "Most passages."),
            may("threshold", Number, "0.0", "Least similarity, 0 to 1."),
            may("filter", Dict, "None", "Metadata that passages must have."),
            must("into", Key, "Key that gets the passages."),
        ],
    },
    NodeType {
        name: "agent_call",
        group: "agent",
        doc: "Calls another agent, here or over A2A.",
        needs_server: true,
        arguments: &[
            must("agent", Text, "Name of an agent, or the address of its card."),
            may("input", Dict, "{}", "Input by key, each a template."),
            may("timeout", Number, "300", "Limit in seconds."),
            may("into", Key, "None", "Key that gets the answer."),
        ],
    },
    NodeType {
        name: "http",
        group: "tool",
        doc: "Makes an HTTP call.",
        needs_server: false,
        arguments: &[
            must("url", Template, "Address."),
            may(
                "method",
                OneOf(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
                "\"GET\"",
                "HTTP method.",
            ),
            may("headers", Dict, "{}", "Headers, each a template."),
            may("params", Dict, "{}", "Query parameters, each a template."),
            may("json", Any, "None", "JSON body; texts in it are templates."),
            may("body", Template, "None", "Text body; instead of `json`."),
            may("timeout", Number, "30", "Limit in seconds."),
            may("allow_status", List, "[]", "Statuses from 400 on that are answers, not failures."),
            may(
                "result",
                OneOf(&["auto", "json", "text", "response"]),
                "\"auto\"",
                "What is written: parsed JSON, text, or `{\"status\", \"headers\", \"body\"}`; `auto` goes by the content type.",
            ),
            may("into", Key, "None", "Key that gets the answer."),
        ],
    },
    NodeType {
        name: "database",
        group: "tool",
        doc: "Runs one SQL statement; SQLite for now.",
        needs_server: false,
        arguments: &[
            must("path", Template, "Database file."),
            must(
                "query",
                Text,
                "One SQL statement with `?` or `:name` for parameters; never a template, so that no value becomes SQL.",
            ),
            may("params", ListOrDict, "[]", "Parameters, each a template if it is text."),
            may("write", Bool, "False", "Opens the database for writing."),
            may("rows_max", Int, "1000", "Most rows that are read."),
            may(
                "into",
                Key,
                "None",
                "Key that gets the rows, a list of dicts; for a write `{\"changed\": n}`.",
            ),
        ],
    },
    NodeType {
        name: "code",
        group: "tool",
        doc: "Runs Python text in the embedded interpreter.",
        needs_server: false,
        arguments: &[
            must("code", Text, "Python statements; what they assign to `result` is the answer."),
            may("inputs", Dict, "{}", "Variables by name, each a Jinja expression over the state."),
            may("cpu_seconds", Number, "2", "Limit of CPU time in seconds."),
            may("memory_mb", Int, "64", "Limit of memory in MiB."),
            may(
                "into",
                Key,
                "None",
                "Key that gets `result`; without it `result` must be a dict of updates.",
            ),
        ],
    },
    NodeType {
        name: "file",
        group: "tool",
        doc: "Reads or writes a file below the run's directory.",
        needs_server: false,
        arguments: &[
            must(
                "op",
                OneOf(&["read", "write", "append", "list", "delete", "exists"]),
                "What is done.",
            ),
            must(
                "path",
                Template,
                "File or, for `list`, a directory; relative to the run's directory.",
            ),
            may("content", Template, "None", "What is written."),
            may("into", Key, "None", "Key that gets the content or the list."),
        ],
    },
    NodeType {
        name: "mcp",
        group: "tool",
        doc: "Calls a tool of an MCP server.",
        needs_server: true,
        arguments: &[
            must("server", Text, "Name of the server in the configuration."),
            must("tool", Text, "Name of the tool."),
            may("arguments", Dict, "{}", "Arguments, each a template if it is text."),
            may("into", Key, "None", "Key that gets the answer."),
        ],
    },
    NodeType {
        name: "condition",
        group: "logic",
        doc: "Goes on at the route of the first expression that is true.",
        needs_server: false,
        arguments: &[
            must("rules", List, "Rules in order: `{\"if\": expression, \"goto\": node}`."),
            may("default", Node, "END", "Node when no rule is true."),
        ],
    },
    NodeType {
        name: "loop",
        group: "logic",
        doc: "Repeats a body while an expression is true or over the items of a list. The last node of the body has an edge back to the loop.",
        needs_server: false,
        arguments: &[
            must("body", Node, "First node of the body."),
            may("exit", Node, "END", "Node behind the loop."),
            may(
                "while_",
                Expression,
                "None",
                "Goes on while this is true; seen before each round.",
            ),
            may(
                "items",
                Expression,
                "None",
                "List whose items are gone through; instead of `while_`.",
            ),
            may("item_key", Key, "\"item\"", "Key that gets the item of the round."),
            may("index_key", Key, "None", "Key that gets the number of the round, from 0."),
            may("limit", Int, "100", "Most rounds; then the loop goes to its exit."),
        ],
    },
    NodeType {
        name: "parallel",
        group: "logic",
        doc: "Runs branches at once and goes on when enough of them have ended.",
        needs_server: false,
        arguments: &[
            must(
                "branches",
                List,
                "Branches: a node, or a list of nodes that run one after the other.",
            ),
            may("then", Node, "END", "Node behind the branches."),
            may(
                "join",
                IntOrOneOf(&["all", "any"]),
                "\"all\"",
                "How many branches must end: `all`, `any` or a number.",
            ),
            may(
                "max_concurrency",
                Int,
                "None",
                "Most branches that run at the same time; all if left out.",
            ),
        ],
    },
    NodeType {
        name: "wait",
        group: "logic",
        doc: "Waits for a person.",
        needs_server: false,
        arguments: &[
            must("message", Template, "What the person is told."),
            may("form", Dict, "None", "Form fields or a JSON Schema of the answer."),
            may("schema", Schema, "None", "Schema of the answer; instead of `form`."),
            may("deadline", Number, "None", "Seconds until it times out; never if left out."),
            may("on_timeout", Node, "None", "Node after the time-out; without it the node fails."),
            may(
                "goto",
                Node,
                "None",
                "Node after the answer; without it the node's own edges fire.",
            ),
            may("into", Key, "None", "Key that gets the answer."),
        ],
    },
    NodeType {
        name: "workflow",
        group: "logic",
        doc: "Runs another graph of the file as an execution of its own, and waits for its end.",
        needs_server: true,
        arguments: &[
            must("graph", Text, "A compiled graph of the file."),
            may(
                "input",
                Dict,
                "None",
                "Its input; texts in it are templates. The whole state if left out.",
            ),
            may("into", Key, "None", "Key that gets its state at the end."),
        ],
    },
    NodeType {
        name: "response",
        group: "output",
        doc: "Answers the user.",
        needs_server: false,
        arguments: &[
            must("text", Template, "The answer."),
            may("into", Key, "None", "Key that gets the answer; `messages` gets it as a message."),
        ],
    },
    NodeType {
        name: "notify",
        group: "output",
        doc: "Sends a notification.",
        needs_server: true,
        arguments: &[
            must("channel", Text, "Name of the channel in the configuration."),
            must("message", Template, "What is sent."),
            may("subject", Template, "None", "Its subject."),
        ],
    },
    NodeType {
        name: "store",
        group: "output",
        doc: "Reads or writes long-term memory.",
        needs_server: false,
        arguments: &[
            must("op", OneOf(&["put", "get", "delete", "search"]), "What is done."),
            must("namespace", List, "Path of the memory: a list of templates."),
            may("key", Template, "None", "Key of the entry; needed for `put`, `get` and `delete`."),
            may("value", Any, "None", "What is written; texts in it are templates."),
            may("query", Template, "None", "Words that are searched."),
            may("limit", Int, "10", "Most entries of a search."),
            may("into", Key, "None", "Key that gets the answer."),
        ],
    },
];
