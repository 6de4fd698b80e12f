//! What came of an old workflow.

use weaver_api::studio::{ConvertWarning, Converted};
use weaver_studio::convert::{self, Warning};

/// The file with what it does not do.
pub fn converted(converted: convert::Converted) -> Converted {
    let warning = |Warning { node, message }| ConvertWarning { node, message };
    let layout = serde_json::to_value(converted.layout);
    Converted {
        source: converted.source,
        warnings: converted.warnings.into_iter().map(warning).collect(),
        layout: layout.expect("a layout has a JSON form"),
    }
}
