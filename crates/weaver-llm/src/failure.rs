//! What a provider's error means, in any dialect. Servers agree on the status more than on
//! the body, and on the body's `code` more than on its words.

use std::time::Duration;

use serde_json::Value;

use crate::error::Error;
use crate::http::Endpoint;
use crate::model::ModelRef;

/// The error of a response that is no success.
pub(crate) fn of_status(
    endpoint: &Endpoint,
    status: u16,
    reset: Option<Duration>,
    body: &[u8],
) -> Error {
    let text = String::from_utf8_lossy(body);
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let said = json.as_ref().map(Said::of).unwrap_or_default();
    let reset = reset.or(said.reset);
    let message = match &json {
        Some(_) if !said.message.is_empty() => endpoint.scrub(&said.message),
        _ if text.trim_start().starts_with('<') => {
            format!("a web page came instead of an answer (status {status})")
        }
        _ if text.trim().is_empty() => format!("no reason was given (status {status})"),
        _ => endpoint.scrub(&text),
    };
    classify(&endpoint.model, status, &said, message, reset)
}

/// The error object inside an answer that began well. There is no status then, so
/// the object's own numbers and words decide.
pub(crate) fn of_object(model: &ModelRef, object: &Value) -> Error {
    let said = Said::of(object);
    let by_number = said.code.parse::<u16>().ok().filter(|code| (400..600).contains(code));
    let words = format!("{} {}", said.code, said.kind);
    let has = |word: &&str| words.contains(word);
    let status = by_number.unwrap_or(match () {
        // A provider's own number for a limit.
        () if QUOTA_CODES.contains(&said.code.as_str()) => 429,
        () if RATE_CODES.contains(&said.code.as_str()) => 429,
        () if ["rate_limit", "throttling", "resource_exhausted"].iter().any(has) => 429,
        () if words.contains("overloaded") || words.contains("unavailable") => 503,
        () if words.contains("server_error") || words.contains("internal") => 500,
        () if words.contains("timeout") => 504,
        () if words.contains("auth") || words.contains("api_key") => 401,
        () if AUTH_CODES.contains(&said.code.as_str()) => 401,
        () if words.contains("permission") => 403,
        () if words.contains("not_found") => 404,
        () if ["invalid", "failed", "badrequest", "image", "mismatch"].iter().any(has) => 400,
        () if BAD_REQUEST_CODES.contains(&said.code.as_str()) => 400,
        () => 500,
    });
    let message = match said.message.is_empty() {
        true => object.to_string(),
        false => said.message.clone(),
    };
    classify(model, status, &said, message, said.reset)
}

/// The members that servers put into an error, whatever the shape around them.
#[derive(Default)]
struct Said {
    message: String,
    code: String,
    kind: String,
    /// Google says in the body when to come back.
    reset: Option<Duration>,
}

impl Said {
    fn of(body: &Value) -> Self {
        // Google wraps its errors into a list.
        let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
        let inner = match &body["error"] {
            Value::Null => body,
            inner => inner,
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let message = match (inner, &inner["message"], &inner["detail"]) {
            (Value::Object(members), Value::Null, Value::Null) if members.contains_key("msg") => {
                text(&inner["msg"])
            }
            (Value::String(text), ..) => text.clone(),
            // A go-between, whose own words say nothing, passes on those of the provider.
            (_, Value::String(text), _) if text == "Provider returned error" => {
                inner["metadata"]["raw"].as_str().unwrap_or(text).to_string()
            }
            (_, Value::String(text), _) | (_, _, Value::String(text)) => text.clone(),
            // A list of the fields that do not fit.
            (_, Value::Null, Value::Null) => String::new(),
            (_, Value::Null, detail) => detail.to_string(),
            (_, message, _) => message.to_string(),
        };
        let status = text(&inner["status"]);
        let kind = format!("{} {status}", text(&inner["type"])).to_lowercase();
        let details = inner["details"].as_array().into_iter().flatten();
        let delay = details.filter_map(|detail| detail["retryDelay"].as_str()).next();
        let seconds = delay.and_then(|delay| delay.strip_suffix('s')?.parse().ok());
        let reset = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Said { message, code: text(&inner["code"]).to_lowercase(), kind, reset }
    }
}

fn classify(
    model: &ModelRef,
    status: u16,
    said: &Said,
    message: String,
    reset: Option<Duration>,
) -> Error {
    let provider = model.title.clone();
    let lower = message.to_lowercase();
    let code = said.code.as_str();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is = |words: &[&str]| words.iter().any(|word| code == *word || said.kind.contains(word));
    if status == 402
        || is(&["insufficient_quota", "exceeded_current_quota", "arrearage", "billing_error"])
        || (matches!(status, 403 | 429) && QUOTA_CODES.contains(&code))
        // A limit that says when it ends is a limit of the rate, whatever its words.
        || (matches!(status, 400 | 403 | 429) && said.reset.is_none() && any(QUOTA_WORDS))
    {
        return Error::Quota { provider, message };
    }
    if is(&["context_length_exceeded", "exceed_context_size_error"])
        || code == "1261"
        || (status < 500 && any(CONTEXT_WORDS))
    {
        return Error::ContextTooLong { provider, message: sentence(message) };
    }
    if is(&["content_filter", "data_inspection_failed", "datainspectionfailed"])
        || is(&["content_policy_violation", "image_content_policy_violation", "bio_policy"])
        || code == "1301"
        || any(&["content management policy"])
    {
        return Error::ContentFiltered { provider, message };
    }
    let key_words = [
        "invalid_api_key",
        "api key not valid",
        "invalid api key",
        "incorrect api key",
        "api key expired",
    ];
    if status == 401
        || is(&["invalid_api_key", "invalidapikey"])
        || (status == 400 && any(&key_words))
    {
        let variable = match model.key_variable {
            "" => "its key".into(),
            variable => variable.into(),
        };
        return Error::Auth { provider, message, variable };
    }
    if is(&["model_not_found", "1211", "deploymentnotfound"])
        || (status == 404 && any(&["model", "no endpoints found"]))
    {
        let message = with_hint(message, model);
        return Error::ModelNotFound { provider, model: model.model.clone(), message };
    }
    match status {
        // Some say so with 413 when one request is larger than the limit of a minute.
        429 | 413 if status == 429 || is(&["rate_limit_exceeded"]) => {
            Error::RateLimited { provider, message, reset }
        }
        403 => Error::Forbidden { provider, message },
        // 498: Groq has no room for what may wait.
        408 | 498 | 500.. => Error::Overloaded { provider, message, status, reset },
        _ => Error::BadRequest { provider, message, status: Some(status) },
    }
}

/// The words about an unknown model, with the way out.
fn with_hint(message: String, model: &ModelRef) -> String {
    let name = &model.model;
    let near = crate::near::nearest(name, crate::price::names(&model.provider));
    match (model.provider.as_str(), near) {
        ("ollama", _) => format!("{message} (get it with `ollama pull {name}`)"),
        (_, Some(near)) => format!("{} Did you mean `{near}`?", sentence(message)),
        (_, None) => message,
    }
}

/// Zhipu's codes for an account that is empty or in arrears.
const QUOTA_CODES: &[&str] =
    &["1113", "1112", "billing_hard_limit_reached", "allocationquota.freetieronly"];
/// Zhipu's codes for too many calls at a time or in a while.
const RATE_CODES: &[&str] = &["1302", "1303", "1305"];
/// Zhipu's codes for a key that is missing, wrong or old.
const AUTH_CODES: &[&str] = &["1000", "1001", "1002", "1003", "1004"];
/// Zhipu's codes for a request that is wrong.
const BAD_REQUEST_CODES: &[&str] = &["1210", "1211", "1212", "1213", "1214", "1215"];
const QUOTA_WORDS: &[&str] = &[
    "insufficient balance",
    "exceeded your current quota, please check your plan",
    "credit balance is too low",
    "余额不足",
];
const CONTEXT_WORDS: &[&str] = &[
    "maximum context length",
    "context length exceeded",
    "context window",
    "exceeds the available context size",
    "prompt is too long",
    "input token count exceeds",
    "too many input tokens",
    "exceeds the maximum number of tokens",
    "input token count is",
    "exceed context limit",
    "max context length",
    "maximum prompt length",
    "range of input length should be",
];

fn sentence(mut message: String) -> String {
    if !message.ends_with(['.', '!', '?']) {
        message.push('.');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn code(status: u16, body: &str) -> &'static str {
        let model = crate::model::resolve("ollama/m", &Options::default()).unwrap();
        let said = Said::of(&serde_json::from_str(body).unwrap());
        let message = said.message.clone();
        classify(&model, status, &said, message, None).code()
    }

    #[test]
    fn an_unknown_model_gets_a_near_name() {
        let options = Options::from_vars(|name| name.ends_with("_KEY").then(|| "k".into()));
        let model = crate::model::resolve("anthropic/claude-sonet-4-5", &options).unwrap();
        let said = Said { code: "model_not_found".into(), ..Said::default() };
        let error = classify(&model, 404, &said, "no such model".into(), None).to_string();
        assert!(error.contains("Did you mean `claude-sonnet-4-5`?"), "{error}");
    }

    #[test]
    fn statuses_codes_and_words() {
        for (status, body, expected) in [
            (401, r#"{"error":{"message":"no","code":"invalid_api_key"}}"#, "model_auth"),
            (400, r#"[{"error":{"code":400,"message":"API key not valid."}}]"#, "model_auth"),
            (403, r#"{"error":"no"}"#, "model_forbidden"),
            (402, r#"{"message":"pay"}"#, "model_quota"),
            (429, r#"{"error":{"code":"insufficient_quota","message":"x"}}"#, "model_quota"),
            (429, r#"{"error":{"code":"1113","message":"x"}}"#, "model_quota"),
            (429, r#"{"error":{"type":"tokens","message":"slow down"}}"#, "model_rate_limited"),
            (404, r#"{"error":{"message":"model 'm' not found"}}"#, "model_not_found"),
            (400, r#"{"error":{"code":"1211","message":"no such"}}"#, "model_not_found"),
            (400, r#"{"code":"Arrearage","message":"x"}"#, "model_quota"),
            (400, r#"{"error":{"code":"data_inspection_failed"}}"#, "model_content_filtered"),
            (
                413,
                r#"{"error":{"code":"rate_limit_exceeded","message":"x"}}"#,
                "model_rate_limited",
            ),
            (
                400,
                r#"{"error":{"status":"INVALID_ARGUMENT","message":"The input token count (9) exceeds the maximum number of tokens allowed (8)."}}"#,
                "model_context_too_long",
            ),
            (404, r#"{"error":{"code":"DeploymentNotFound","message":"x"}}"#, "model_not_found"),
            (
                404,
                r#"{"error":{"code":404,"message":"No endpoints found for x."}}"#,
                "model_not_found",
            ),
            (404, r#"{"detail":"Not Found"}"#, "model_bad_request"),
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, "model_context_too_long"),
            (400, r#"{"message":"maximum context length is 8"}"#, "model_context_too_long"),
            (400, r#"{"error":{"code":"content_filter","message":"x"}}"#, "model_content_filtered"),
            (422, r#"{"detail":[{"loc":["body","n"],"msg":"bad"}]}"#, "model_bad_request"),
            (503, r#"{"error":{"message":"busy"}}"#, "model_overloaded"),
            (529, r#"{"error":{"message":"busy"}}"#, "model_overloaded"),
        ] {
            assert_eq!(code(status, body), expected, "{status} {body}");
        }
    }
}
