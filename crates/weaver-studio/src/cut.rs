//! Cuts the program for the embedded interpreter out of the text.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::ItemKind;
use crate::units::{Closure, Units};

/// The text with everything blanked that is not in the units. As long as the text,
/// byte for byte, with the same line ends.
pub(crate) fn source(text: &str, units: &Units<'_>, kept: &BTreeSet<u32>) -> String {
    let mut out: Vec<u8> =
        text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { byte } else { b' ' }).collect();
    let bytes = text.as_bytes();
    let mut opened = BTreeSet::new();
    for id in kept {
        let unit = &units.all[*id as usize];
        out[unit.range()].copy_from_slice(&bytes[unit.range()]);
        let mut parent = unit.parent;
        while let Some(id) = parent {
            opened.insert(id);
            parent = units.all[id as usize].parent;
        }
    }
    // What is kept out of a function's body becomes global: its header turns into
    // `if 1:`, which needs no other indentation.
    for id in opened.difference(kept) {
        let unit = &units.all[*id as usize];
        if let ItemKind::Function { name_start } = unit.item.kind {
            let header = line_content(bytes, unit.base + name_start);
            out[header..header + 5].copy_from_slice(b"if 1:");
        }
    }
    for id in kept {
        blank_inside(bytes, &mut out, units, *id);
    }
    String::from_utf8(out).expect("whole characters were copied or blanked")
}

/// Blanks imports (the host answers them) and statements that build graphs
/// inside a unit that is kept.
fn blank_inside(bytes: &[u8], out: &mut [u8], units: &Units<'_>, id: u32) {
    let unit = &units.all[id as usize];
    let range = unit.range();
    let imports = unit
        .item
        .imports
        .iter()
        .map(|import| (unit.base + import.statement.start, unit.base + import.statement.end));
    let graphs = units.graph_statements_in(&range);
    for (start, end) in imports.chain(graphs) {
        for at in start..end {
            if !matches!(bytes[at], b'\n' | b'\r') {
                out[at] = b' ';
            }
        }
        if end - start >= 4 && !bytes[start..start + 4].contains(&b'\n') {
            out[start..start + 4].copy_from_slice(b"pass");
        }
    }
}

/// The first byte of the line of an offset that is no blank.
fn line_content(bytes: &[u8], at: usize) -> usize {
    let start = bytes[..at].iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |n| n + 1);
    let indent =
        bytes[start..at].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\x0c')).count();
    start + indent
}

/// Several closures as one.
pub(crate) fn union<'k>(closures: impl Iterator<Item = &'k Closure>) -> Closure {
    let mut all = Closure::default();
    for closure in closures {
        all.units.extend(&closure.units);
        all.imports.extend(closure.imports.iter().map(|(k, v)| (k.clone(), v.clone())));
        all.graphs.extend(closure.graphs.iter().map(|(k, v)| (k.clone(), *v)));
        all.schemas.extend(closure.schemas.iter().cloned());
    }
    all
}

/// Imports as the program lists them.
pub(crate) fn host_imports(
    imports: &BTreeMap<String, (String, Option<String>)>,
) -> Vec<weaver_core::HostImport> {
    imports
        .iter()
        .map(|(local, (module, name))| weaver_core::HostImport {
            module: module.clone(),
            name: name.clone(),
            local: local.clone(),
        })
        .collect()
}
