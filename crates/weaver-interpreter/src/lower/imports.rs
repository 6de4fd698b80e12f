//! Imports that a function makes, and names that imported modules lack: taken from
//! the faces.

use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextRange};
use weaver_core::embedded::{NATIVE_MODULES, is_host_module};

use super::Lowering;
use crate::names::LACKING;

impl Lowering<'_> {
    /// `functools.wraps` of a module that is imported whole, where the interpreter's lacks
    /// it; whether it is one.
    pub(super) fn lacking_attribute(&mut self, attribute: &ast::ExprAttribute) -> bool {
        let ast::Expr::Name(module) = &*attribute.value else { return false };
        let (module, name) = (module.id.as_str(), attribute.attr.as_str());
        let lacking = name != "abc" && LACKING.contains(&(module, name));
        if lacking {
            self.replace(attribute.range(), format!("_aw_find({module:?}, {name:?})"));
        }
        lacking
    }

    pub(super) fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let module = import.module.as_ref().map(|module| module.as_str()).unwrap_or_default();
        let lacking =
            import.names.iter().any(|alias| LACKING.contains(&(module, alias.name.as_str())));
        if import.level > 0 || !(lacking || is_host_module(module)) {
            return;
        }
        let mut locals = Vec::new();
        let mut values = Vec::new();
        for alias in &import.names {
            locals.push(alias.asname.as_ref().unwrap_or(&alias.name).as_str().to_owned());
            values.push(match NATIVE_MODULES.contains(&module) {
                true if !LACKING.contains(&(module, alias.name.as_str())) => {
                    format!("_aw_native({module:?}, {:?})", alias.name.as_str())
                }
                _ => format!("_aw_find({module:?}, {:?})", alias.name.as_str()),
            });
        }
        self.bind(import.range(), &locals, &values);
    }

    pub(super) fn import(&mut self, import: &ast::StmtImport) {
        if !import.names.iter().all(|alias| is_host_module(alias.name.as_str())) {
            return;
        }
        let local = |alias: &ast::Alias| {
            let whole = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            whole.split('.').next().unwrap_or_default().to_owned()
        };
        let module = |alias: &ast::Alias| match alias.asname {
            Some(_) => alias.name.as_str().to_owned(),
            None => local(alias),
        };
        let locals: Vec<_> = import.names.iter().map(local).collect();
        let values =
            import.names.iter().map(|alias| format!("_aw_find({:?}, None)", module(alias)));
        let values: Vec<_> = values.collect();
        self.bind(import.range(), &locals, &values);
    }

    /// An assignment over as many lines as the import had.
    fn bind(&mut self, range: TextRange, locals: &[String], values: &[String]) {
        let lines = "\n".repeat(self.source[range].matches('\n').count());
        let text = format!("({},) = ({lines}{},)", locals.join(", "), values.join(", "));
        self.replace(range, text);
    }
}
