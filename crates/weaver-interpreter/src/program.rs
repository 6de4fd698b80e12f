//! What a module is made of: our faces, the schemas, the user's cut source.
//!
//! The faces are Python of ours in one namespace (`_aw`), so that a file may
//! define any name itself. Only what the file imports, and the classes of its
//! schemas, become names of the module.

use std::fmt::Write;
use std::sync::OnceLock;

use weaver_core::spec::{FieldSpec, SchemaKind, SchemaSpec};
use weaver_core::value::TYPE_KEY;
use weaver_core::{Hash, Program, Value};

use crate::lower::{HostClasses, Lowered, lower, lower_expression};
use crate::names::LACKING_ERRORS;
use crate::traceless::is_traceless;

/// One input of the interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Whether its lines are those of the user's file.
    pub(crate) users: bool,
    pub(crate) source: String,
}

const FACES: [&str; 12] = [
    include_str!("faces/core.py"),
    include_str!("faces/messages.py"),
    include_str!("faces/schemas.py"),
    include_str!("faces/classes.py"),
    include_str!("faces/graph.py"),
    include_str!("faces/models.py"),
    include_str!("faces/runnables.py"),
    include_str!("faces/prompts.py"),
    include_str!("faces/tools.py"),
    include_str!("faces/agents.py"),
    include_str!("faces/idioms.py"),
    include_str!("faces/stdlib.py"),
];

/// Starts the loop that waits for calls; the last input of every module.
pub(crate) const DRIVE: &str = "await _aw_drive(None)\n";

/// A program made ready: once for all its sessions.
pub(crate) struct Prepared {
    pub(crate) file: String,
    pub(crate) lowered: Lowered,
    pub(crate) units: Vec<Unit>,
    pub(crate) code_hash: Hash,
    /// See [`crate::traceless`].
    pub(crate) traceless: bool,
    /// Whether workers keep the values that its functions are given. Not where a
    /// function may wait for a person: its snapshot would hold all of them.
    pub(crate) keeps_values: bool,
}

impl Prepared {
    pub(crate) fn new<'p>(program: &'p Program) -> Self {
        let (enums, schemas): (Vec<_>, Vec<_>) =
            program.schemas.iter().partition(|schema| schema.kind == SchemaKind::Enum);
        let names = |schemas: Vec<&'p SchemaSpec>| -> Vec<&'p str> {
            schemas.into_iter().map(|schema| schema.name.as_str()).collect()
        };
        let (enums, schemas) = (names(enums), names(schemas));
        let classes = HostClasses { schemas: &schemas, enums: &enums };
        let lowered = lower(&program.source, classes);
        let units = units(program, &lowered, classes);
        let code_hash = code_hash(&program.file, &units);
        let traceless = is_traceless(program);
        let mut texts = program.lambdas.iter().map(|(_, text)| text).chain([&program.source]);
        let keeps_values = traceless && !texts.any(|text| text.contains("interrupt"));
        let file = program.file.clone();
        Prepared { file, lowered, units, code_hash, traceless, keeps_values }
    }
}

/// The module that snapshots build on: as all others, but of one input, because
/// the interpreter keeps several in a random order.
pub(crate) fn base_units() -> Vec<Unit> {
    vec![Unit { users: false, source: prelude().to_owned() + DRIVE }]
}

/// The inputs that make the module of a program, in order.
fn units(program: &Program, lowered: &Lowered, classes: HostClasses<'_>) -> Vec<Unit> {
    let ours = |source| Unit { users: false, source };
    let mut units = vec![
        ours(prelude().to_owned()),
        ours(names(program, lowered)),
        Unit { users: true, source: lowered.source.clone() },
        ours(lowered.epilogue.clone()),
    ];
    for (id, text) in &program.lambdas {
        let place = lowered.lowered_line(lambda_line(id));
        let lines = "\n".repeat((place as usize).saturating_sub(2));
        let text = lower_expression(text, classes, &lowered.properties);
        let source = format!("{lines}_aw_functions[{}] = (\n{text}\n)", literal(id));
        units.push(Unit { users: true, source });
    }
    units.push(ours(DRIVE.to_owned()));
    units.retain(|unit| !unit.source.is_empty());
    units
}

/// Hash of everything that decides what the module does.
fn code_hash(file: &str, units: &[Unit]) -> Hash {
    let parts = units.iter().map(|unit| unit.source.as_bytes());
    Hash::of_parts(std::iter::once(file.as_bytes()).chain(parts))
}

/// What every module starts with, to the byte.
pub(crate) fn prelude() -> &'static str {
    static PRELUDE: OnceLock<String> = OnceLock::new();
    PRELUDE.get_or_init(make_prelude)
}

fn make_prelude() -> String {
    let faces = literal(&faces());
    let mut out =
        format!("_aw = {{'_aw_host': _aw_host, '_aw_async': _aw_async}}\nexec({faces}, _aw)\n");
    for (name, face) in [
        ("_aw_coroutine", "coroutine"),
        ("_aw_raised", "raised"),
        ("_aw_error", "error_maker"),
        ("_aw_catches", "catches"),
        ("_aw_caught", "caught"),
        ("_aw_super", "super_init"),
        ("_aw_error_text", "plain_error_str"),
        ("_aw_delete", "delete"),
        ("_aw_find", "find_name"),
        ("_aw_native", "native_name"),
        ("isinstance", "is_instance"),
        ("_aw_text", "text_property"),
        ("_aw_all", "all_of"),
        ("_aw_member", "enum_member"),
        ("_aw_member_named", "named_member"),
        ("_aw_nothing", "ignore"),
        ("callable", "is_callable"),
        ("issubclass", "is_subclass"),
        ("round", "rounded"),
        ("_aw_method", "method_of"),
        ("_aw_sub", "substitute"),
        ("_aw_dumps", "dumps"),
        ("_aw_name", "name_of"),
    ] {
        line(&mut out, format_args!("{name} = _aw['{face}']"));
    }
    out + include_str!("faces/driver.py")
}

/// All faces without comments and blank lines, which every snapshot would carry.
fn faces() -> String {
    let lines = FACES.iter().flat_map(|face| face.lines());
    let code = lines.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let lacking = LACKING_ERRORS.map(|(class, base)| format!("{class:?}: {base:?}")).join(", ");
    let mut out = format!("LACKING_ERRORS = {{{lacking}}}\n");
    out.extend(code.flat_map(|line| [line, "\n"]));
    out
}

/// What the module knows before the user's source runs.
fn names(program: &Program, lowered: &Lowered) -> String {
    let mut out = String::new();
    for name in &lowered.properties {
        line(&mut out, format_args!("_aw_property_{name} = _aw['property_reader']({name:?})"));
    }
    for name in lacking_errors(program) {
        line(&mut out, format_args!("{name} = _aw['error_class']({name:?})"));
    }
    for tool in &program.tools {
        let function = tool.function.rsplit('.').next().unwrap_or_default();
        let spec = Value::map([
            ("name", Value::str(&*tool.name)),
            ("description", Value::str(&*tool.description)),
            ("parameters", tool.parameters.clone()),
        ]);
        let (function, name) = (literal(function), literal(&tool.name));
        line(&mut out, format_args!("_aw['tool_specs'][{function}] = {}", python(&spec)));
        // Tools of a factory share their function's name.
        line(&mut out, format_args!("_aw['named_tools'][{name}] = _aw['tool_specs'][{function}]"));
    }
    for import in &program.imports {
        // `import a.b` without `as` binds `a`, whose parts are not known one by one.
        let local = import.local.split('.').next().unwrap_or_default();
        let module = literal(&import.module);
        let name = import.name.as_deref().map_or("None".into(), literal);
        line(&mut out, format_args!("{local} = _aw['find_name']({module}, {name})"));
        registry_tools(&mut out, program, import.name.as_deref(), &import.module, local);
    }
    for schema in &program.schemas {
        define_schema(&mut out, schema);
    }
    for (local, graph) in &program.graphs {
        line(&mut out, format_args!("{local} = _aw['Graph']({})", literal(graph)));
    }
    out
}

/// Builtin exceptions that the program's text names and the interpreter lacks.
fn lacking_errors(program: &Program) -> impl Iterator<Item = &'static str> {
    let texts = || program.lambdas.iter().map(|(_, text)| text).chain([&program.source]);
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let names = LACKING_ERRORS.iter().map(|(name, _)| *name);
    names.filter(move |name| {
        texts().any(|text| text.split(|c| !in_word(c)).any(|word| word == *name))
    })
}

/// Attributes cannot be made on demand, so `tools.search(...)` gets its attribute
/// from the text of the file.
fn registry_tools(
    out: &mut String,
    program: &Program,
    name: Option<&str>,
    module: &str,
    local: &str,
) {
    if !module.starts_with("agentweaver") {
        return;
    }
    let prefix = match name {
        Some("tools") => format!("{local}."),
        None => format!("{local}.tools."),
        _ => return,
    };
    let texts =
        std::iter::once(&program.source).chain(program.lambdas.iter().map(|(_, text)| text));
    for text in texts {
        for (at, _) in text.match_indices(&prefix) {
            let rest = &text[at + prefix.len()..];
            let word: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !word.is_empty() && word != "call" {
                let word = literal(&word);
                let set = "setattr(_aw['tool_registry'],";
                line(out, format_args!("{set} {word}, _aw['registry_tool']({word}))"));
            }
        }
    }
}

fn define_schema(out: &mut String, schema: &SchemaSpec) {
    let SchemaSpec { name, kind, fields, doc, json_schema, .. } = schema;
    let quoted = literal(name);
    let kind = match kind {
        SchemaKind::TypedDict => "typed_dict",
        SchemaKind::Messages => "messages",
        SchemaKind::Dataclass | SchemaKind::NamedTuple => "dataclass",
        SchemaKind::Enum => return define_enum(out, schema),
        SchemaKind::Pydantic => "pydantic",
    };
    let doc = doc.as_deref().map_or("None".into(), literal);
    let fields: String = fields.iter().map(field).collect();
    let json_schema = python(json_schema);
    if kind == "typed_dict" || kind == "messages" {
        line(out, format_args!("def {name}(*args, **values):\n    return dict(*args, **values)"));
        line(
            out,
            format_args!(
                "_aw['schemas'][{quoted}] = {{'class': {name}, 'kind': '{kind}', 'schema': {json_schema}, 'doc': {doc}, 'fields': [{fields}]}}"
            ),
        );
        return;
    }
    line(
        out,
        format_args!(
            "class {name}:\n    def __init__(self, *args, **values):\n        _aw['fill'](self, {quoted}, args, values)"
        ),
    );
    line(
        out,
        format_args!(
            "_aw['define_schema']({name}, {quoted}, '{kind}', [{fields}], {json_schema}, {doc})"
        ),
    );
    line(out, format_args!("_aw['classes']['schema'].append({name}(_aw_probe=True))"));
}

/// An enum's members have `name` and `value`, and compare as their values.
fn define_enum(out: &mut String, schema: &SchemaSpec) {
    line(out, format_args!("class {}:", schema.name));
    for member in &schema.fields {
        let value = member.default.as_ref().map_or("None".into(), python);
        line(out, format_args!("    {} = {value}", member.name));
    }
    line(out, format_args!("    pass"));
    let members: Vec<String> = schema.fields.iter().map(|member| literal(&member.name)).collect();
    let name = &schema.name;
    line(
        out,
        format_args!("_aw['define_enum']({name}, {}, [{}])", literal(name), members.join(", ")),
    );
}

/// `(name, annotation, required, has default, default), `
fn field(field: &FieldSpec) -> String {
    let FieldSpec { name, annotation, required, default, .. } = field;
    let has_default = if default.is_some() { "True" } else { "False" };
    let required = if *required { "True" } else { "False" };
    let default = default.as_ref().map_or("None".into(), python);
    format!("({}, {}, {required}, {has_default}, {default}), ", literal(name), literal(annotation))
}

/// A value as a Python expression.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) if x.is_finite() => format!("{x:?}"),
        Value::Float(x) => format!("float('{x}')"),
        Value::Str(text) => literal(text),
        Value::List(items) => {
            format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => match (value.tag(), value.get("value").and_then(Value::as_str)) {
            (Some("int"), Some(digits))
                if digits.bytes().all(|b| b.is_ascii_digit() || b == b'-') =>
            {
                digits.to_owned()
            }
            _ => {
                let entries = map.iter().filter(|(key, _)| &***key != TYPE_KEY);
                let entries =
                    entries.map(|(key, value)| format!("{}: {}", literal(key), python(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        },
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

/// `lambda@LINE:COLUMN`.
fn lambda_line(id: &str) -> u32 {
    let line = id.rsplit_once('@').and_then(|(_, place)| place.split(':').next());
    line.and_then(|line| line.parse().ok()).unwrap_or(1)
}

/// A Python string literal: JSON's escapes are all Python's too.
fn literal(text: &str) -> String {
    serde_json::to_string(text).expect("text has a JSON form")
}
