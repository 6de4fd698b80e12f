//! Fields of schemas.

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Expr, Stmt, StmtAnnAssign, StmtClassDef};
use weaver_core::spec::{FieldSpec, SchemaKind, SchemaSpec};

use super::items::Items;
use super::{Done, Editor, Refused, range_of_span, style};
use crate::bindings::bound_names;
use crate::eval::outcome::type_head;
use crate::problem::suggestion;
use crate::syntax::{parse_annotation, range_of};

/// Names of types that are imported where they are used first.
const TYPING: [&str; 9] = [
    "Annotated",
    "Any",
    "Literal",
    "NotRequired",
    "Optional",
    "Required",
    "Sequence",
    "TypedDict",
    "Union",
];
const BUILTIN_TYPES: [&str; 12] = [
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "list",
    "dict",
    "set",
    "frozenset",
    "tuple",
    "object",
    "complex",
];

impl<'a> Editor<'_, 'a> {
    pub fn add_field(
        &mut self,
        schema: Option<&str>,
        name: &str,
        annotation: &str,
        reducer: Option<&str>,
    ) -> Done {
        let (spec, class) = self.schema(schema)?;
        if !style::is_identifier(name) {
            let reason = format!("`{name}` is no Python name");
            return Err(Refused::field("name", reason, "use letters, digits and `_`"));
        }
        if spec.fields.iter().any(|field| field.name == name) {
            let reason = format!("`{}` has a field `{name}` already", spec.name);
            return Err(Refused::field("name", reason, "choose another name"));
        }
        self.check_type(annotation)?;
        let declared = match reducer {
            Some(reducer) => {
                let reducer = self.reducer(reducer)?;
                let annotated = self.import("typing", "Annotated")?;
                format!("{name}: {annotated}[{annotation}, {reducer}]")
            }
            None => format!("{name}: {annotation}"),
        };
        let fields = class.body.iter().enumerate();
        let mut fields: Vec<(usize, &StmtAnnAssign)> =
            fields.filter_map(|(at, stmt)| Some((at, stmt.as_ann_assign_stmt()?))).collect();
        if spec.kind == SchemaKind::Dataclass {
            if let Some(first) = fields.iter().find(|(_, field)| field.value.is_some())
                && first.0 == fields[0].0
            {
                let place = range_of(first.1);
                let reason = "a field without a default cannot follow one that has a default";
                return Err(Refused::at(place, reason));
            }
            fields.retain(|(_, field)| field.value.is_none());
        }
        let position = fields.last().map_or(0, |(position, _)| *position);
        self.insert_statement(&class.body, position, &declared)
    }

    pub fn set_field(
        &mut self,
        schema: Option<&str>,
        name: &str,
        annotation: Option<&str>,
        reducer: Option<Option<&str>>,
    ) -> Done {
        let (_, field, assign) = self.field(schema, name)?;
        let parts = Annotation::of(&assign.annotation);
        let place = range_of(&*assign.annotation);
        if parts.inner.is_string_literal_expr() {
            return Err(Refused::at(place, format!("the type of `{name}` is written as a text")));
        }
        if let Some(annotation) = annotation.filter(|annotation| *annotation != field.annotation) {
            if self.source_of(parts.inner) != field.annotation {
                return Err(Refused::at(place, format!("the type of `{name}` is an alias")));
            }
            self.check_type(annotation)?;
            self.replace(range_of(parts.inner), annotation);
        }
        match (reducer, parts.annotated) {
            (None, _) | (Some(None), None) => {
                if reducer.is_some() && field.reducer.is_some() {
                    return Err(Refused::at(place, format!("the reducer of `{name}` is its type")));
                }
                Ok(())
            }
            (Some(Some(reducer)), None) => {
                let reducer = self.reducer(reducer)?;
                let annotated = self.import("typing", "Annotated")?;
                let inner = range_of(parts.inner);
                self.replace(inner.start..inner.start, format!("{annotated}["));
                self.replace(inner.end..inner.end, format!(", {reducer}]"));
                Ok(())
            }
            (Some(reducer), Some(annotated)) => {
                let Some(items) = Items::of_subscript(self.tree, annotated) else {
                    return Err(Refused::at(place, "the annotation cannot be taken apart"));
                };
                let last = items.len() - 1;
                match (reducer, field.reducer.is_some() && last > 0) {
                    (Some(reducer), true) => {
                        let code = self.reducer(reducer)?;
                        self.replace(items.range(last), code);
                    }
                    (Some(reducer), false) => {
                        let code = self.reducer(reducer)?;
                        self.edits.extend(items.append(&code));
                    }
                    (None, true) if last == 1 => {
                        let whole = range_of(annotated);
                        self.replace(whole.start..items.range(0).start, "");
                        self.replace(items.range(0).end..whole.end, "");
                    }
                    (None, true) => self.edits.extend(items.remove(&[last])),
                    (None, false) => {}
                }
                Ok(())
            }
        }
    }

    pub fn remove_field(&mut self, schema: Option<&str>, name: &str) -> Done {
        let (class, _, assign) = self.field(schema, name)?;
        let position = class.body.iter().position(|stmt| range_of(stmt) == range_of(assign));
        if let Some(position) = position {
            self.remove_statements(&class.body, position..position + 1, &[]);
        }
        Ok(())
    }

    /// A class of the file that describes data; the graph's state if it is not named.
    pub fn schema(
        &self,
        name: Option<&str>,
    ) -> Result<(&'a SchemaSpec, &'a StmtClassDef), Refused> {
        let schemas = &self.tree.spec.schemas;
        let name = name.unwrap_or(&self.graph.state.schema);
        let Some(spec) = schemas.iter().find(|schema| schema.name == name) else {
            let names: Vec<&str> = schemas.iter().map(|schema| schema.name.as_str()).collect();
            let (reason, help) = match name {
                "" => ("the graph's state is no class of this file".to_string(), String::new()),
                _ => (
                    format!("`{name}` is no class of this file"),
                    suggestion(name, "schema", &names),
                ),
            };
            return Err(Refused::field("schema", reason, help));
        };
        let place = range_of_span(&spec.span);
        let class = self.tree.classes.iter().find(|class| range_of(**class) == place);
        match class {
            Some(class) if spec.kind != SchemaKind::Enum => Ok((spec, class)),
            _ => Err(Refused::at(place, format!("`{name}` is not a class with fields"))),
        }
    }

    pub fn field(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<(&'a StmtClassDef, FieldSpec, &'a StmtAnnAssign), Refused> {
        let (spec, class) = self.schema(schema)?;
        let Some(field) = spec.fields.iter().find(|field| field.name == name) else {
            let names: Vec<&str> = spec.fields.iter().map(|field| field.name.as_str()).collect();
            let reason = format!("`{}` has no field `{name}`", spec.name);
            return Err(Refused::field("name", reason, suggestion(name, "field", &names)));
        };
        let place = range_of_span(&field.span);
        let mut assigns = class.body.iter().filter_map(Stmt::as_ann_assign_stmt);
        match assigns.find(|assign| range_of(*assign) == place) {
            Some(assign) => Ok((class, field.clone(), assign)),
            None => {
                let reason = format!("`{}` inherits the field `{name}`", spec.name);
                let help = "name the class that declares it".into();
                Err(Refused { help, ..Refused::at(range_of_span(&spec.span), reason) })
            }
        }
    }

    /// A reducer as the file names it.
    fn reducer(&mut self, reducer: &str) -> Result<String, Refused> {
        Ok(match reducer {
            "add" | "mul" => match self.imported("operator", reducer) {
                Some(local) => local.to_string(),
                None => format!("{}.{reducer}", self.operator()?),
            },
            "or" | "and" => match self.imported("operator", &format!("{reducer}_")) {
                Some(local) => local.to_string(),
                None => format!("{}.{reducer}_", self.operator()?),
            },
            "max" | "min" => reducer.to_string(),
            "add_messages" => self.import("langgraph.graph.message", "add_messages")?,
            function => {
                let place = self.home.end();
                self.check_function(function, place)?;
                function.to_string()
            }
        })
    }

    /// What the module calls `operator`.
    fn operator(&mut self) -> Result<String, Refused> {
        let imports = self.tree.module.body.iter().filter_map(Stmt::as_import_stmt);
        let known =
            imports.flat_map(|import| &import.names).find(|a| a.name.as_str() == "operator");
        if let Some(alias) = known {
            return Ok(alias.asname.as_ref().unwrap_or(&alias.name).to_string());
        }
        self.check_name_free("operator")?;
        self.insert_import("import operator")?;
        Ok("operator".into())
    }

    /// A type must be Python, of names that the file has.
    fn check_type(&mut self, annotation: &str) -> Done {
        let bad = |reason: String| Refused::field("type", reason, "write it as in Python");
        let parsed = parse_annotation(annotation).filter(|_| !annotation.contains(['\n', '#']));
        let Some(parsed) = parsed else {
            return Err(bad(format!("`{annotation}` is no type")));
        };
        if !matches!(
            parsed,
            Expr::Name(_)
                | Expr::Attribute(_)
                | Expr::Subscript(_)
                | Expr::BinOp(_)
                | Expr::NoneLiteral(_)
        ) || matches!(&parsed, Expr::Subscript(s) if matches!(type_head(&s.value), "Annotated" | "ClassVar" | "Required" | "NotRequired" | "ReadOnly" | "Final"))
        {
            return Err(bad(format!("`{annotation}` is no plain type")));
        }
        let mut names = NamesOf::default();
        names.visit_expr(&parsed);
        let bound = bound_names(&self.tree.module.body);
        for name in names.0 {
            if BUILTIN_TYPES.contains(&name.as_str()) || bound.iter().any(|b| b.as_str() == name) {
                continue;
            }
            match TYPING.contains(&name.as_str()) {
                true => drop(self.import("typing", &name)?),
                false => return Err(bad(format!("the file has no `{name}`"))),
            }
        }
        Ok(())
    }
}

/// An annotation taken apart.
struct Annotation<'a> {
    /// The type without `Annotated` and the like.
    inner: &'a Expr,
    annotated: Option<&'a ruff_python_ast::ExprSubscript>,
}

impl<'a> Annotation<'a> {
    fn of(annotation: &'a Expr) -> Self {
        let mut parts = Annotation { inner: annotation, annotated: None };
        while let Expr::Subscript(subscript) = parts.inner {
            match (type_head(&subscript.value), &*subscript.slice) {
                ("Annotated", Expr::Tuple(tuple)) if !tuple.elts.is_empty() => {
                    parts.annotated.get_or_insert(subscript);
                    parts.inner = &tuple.elts[0];
                }
                ("Required" | "NotRequired" | "ReadOnly" | "Final", inner) => parts.inner = inner,
                _ => break,
            }
        }
        parts
    }
}

/// The names that an expression reads, without those in texts.
#[derive(Default)]
struct NamesOf(Vec<String>);

impl Visitor<'_> for NamesOf {
    fn visit_expr(&mut self, expr: &Expr) {
        if let Expr::Name(name) = expr {
            self.0.push(name.id.to_string());
        }
        ruff_python_ast::visitor::walk_expr(self, expr);
    }
}
