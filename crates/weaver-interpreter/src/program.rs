//! What a module is made of: our faces, the schemas, the user's cut source.

use weaver_core::{Hash, Program};

/// One input of the interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Whether its lines are those of the user's file.
    pub(crate) users: bool,
    pub(crate) source: String,
}

const CORE: &str = include_str!("faces/core.py");

/// The inputs that make the module of a program, in order.
pub(crate) fn units(program: &Program) -> Vec<Unit> {
    let mut setup = format!("_aw = {{}}\nexec({}, _aw)\n", literal(CORE));
    setup.push_str(
        "_aw_functions = {}\n_aw_lists = False\nasync def _aw_nothing():\n    pass\n_aw_coroutine = type(_aw_nothing())\n",
    );
    let mut units = vec![
        Unit { users: false, source: setup },
        Unit { users: true, source: program.source.clone() },
    ];
    for (id, text) in &program.lambdas {
        let lines = "\n".repeat(lambda_line(id).saturating_sub(1));
        let source = format!("{lines}_aw_functions[{}] = (\n{text}\n)", literal(id));
        units.push(Unit { users: true, source });
    }
    units
}

/// Hash of everything that decides what the module does.
pub(crate) fn code_hash(file: &str, units: &[Unit]) -> Hash {
    let parts = units.iter().map(|unit| unit.source.as_bytes());
    Hash::of_parts(std::iter::once(file.as_bytes()).chain(parts))
}

/// `lambda@LINE:COLUMN`.
fn lambda_line(id: &str) -> usize {
    let line = id.rsplit_once('@').and_then(|(_, place)| place.split(':').next());
    line.and_then(|line| line.parse().ok()).unwrap_or(1)
}

/// A Python string literal: JSON's escapes are all Python's too.
fn literal(text: &str) -> String {
    serde_json::to_string(text).expect("text has a JSON form")
}
