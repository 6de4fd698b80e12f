//! Sans-IO graph engine: inputs in, effects out.
