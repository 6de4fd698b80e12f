//! What the crate says of itself is complete: a page for every code, a sound table
//! of typed nodes.

use std::path::Path;

use weaver_studio::CODES;
use weaver_studio::typed_nodes::{NODE_TYPES, node_type};

#[test]
fn every_code_has_a_page_with_a_mend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    for code in CODES {
        let page = std::fs::read_to_string(folder.join(format!("{code}.md")))
            .unwrap_or_else(|_| panic!("docs/errors/{code}.md is missing"));
        assert!(page.starts_with(&format!("# {code}\n")), "{code}: the title is the code");
        assert!(page.contains("## Mend"), "{code}: the page says how to mend it");
    }
}

#[test]
fn typed_nodes_are_named_once_and_described() {
    for node in NODE_TYPES {
        assert!(
            std::ptr::eq(node_type(node.name).expect("it is in the table"), node),
            "{}",
            node.name
        );
        assert!(node.doc.ends_with('.'));
        for (index, argument) in node.arguments.iter().enumerate() {
            let again = node.arguments[..index].iter().any(|other| other.name == argument.name);
            assert!(!again, "{}.{} is there twice", node.name, argument.name);
            assert!(argument.doc.ends_with('.'), "{}.{}", node.name, argument.name);
            assert_eq!(
                argument.required,
                argument.default.is_empty(),
                "{}.{}",
                node.name,
                argument.name
            );
        }
    }
    let ready = NODE_TYPES.iter().filter(|node| !node.needs_server).count();
    assert_eq!((ready, NODE_TYPES.len()), (13, 20));
}
