//! `agentweaver models`: what can be asked, and what it costs.

use console::style;
use weaver_api::models::{ModelPrice, ModelProvider};
use weaver_llm::Gateway;

use crate::cli::ModelsArgs;
use crate::error::CliError;
use crate::house::models;
use crate::http::gateway::Lists;
use crate::render::term;
use crate::settings::Settings;
use crate::wire;

/// Models of one provider that are shown among those of others.
const SHOWN: usize = 12;

/// Asks every provider that can be asked for its models.
pub async fn run(args: &ModelsArgs, settings: Settings) -> Result<(), CliError> {
    let gateway = models(settings).await?;
    if let Some(wanted) = &args.provider {
        check(&gateway, wanted)?;
    }
    let wanted = |name: &str| args.provider.as_deref().is_none_or(|wanted| wanted == name);
    let listed = Lists::new(gateway.clone()).ask(wanted).await;
    let shown: Vec<_> = listed.into_iter().map(|listed| wire::provider(&gateway, listed)).collect();
    match args.json {
        true => term::json(&shown),
        false => print(&shown, args.provider.is_some()),
    }
    Ok(())
}

/// That there is such a provider.
fn check(gateway: &Gateway, wanted: &str) -> Result<(), CliError> {
    let known: Vec<_> = gateway.providers().into_iter().map(|status| status.name).collect();
    if known.iter().any(|name| name == wanted) {
        return Ok(());
    }
    let near = weaver_llm::nearest(wanted, known.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of: {}", known.join(", ")),
    };
    Err(CliError::usage(format!("`{wanted}` is no provider")).with_help(help))
}

/// Providers that answer with their models, then the others in a line each.
fn print(shown: &[ModelProvider], all: bool) {
    let (good, bad): (Vec<_>, Vec<_>) = shown.iter().partition(|shown| shown.problem.is_none());
    for provider in good {
        let address = provider.address.as_deref().unwrap_or_default();
        let count = provider.models.len();
        term::out(&format!(
            "{} {} {}",
            style("✔").green(),
            style(&provider.provider).bold(),
            style(format!("{address} · {count} models")).dim()
        ));
        let limit = if all { count } else { SHOWN };
        for model in provider.models.iter().take(limit) {
            let name = term::harmless(&model.name);
            term::out(format!("    {name:<40} {}", price(model.price)).trim_end());
        }
        if count > limit {
            let more = format!("… and {}: agentweaver models {}", count - limit, provider.provider);
            term::out(&format!("    {}", style(more).dim()));
        }
    }
    for provider in bad {
        let problem = provider.problem.as_deref().unwrap_or_default();
        let problem = term::one_line(&term::harmless(problem), 100);
        let line = format!("{} {:<12} {}", style("·").dim(), provider.provider, problem);
        term::out(&line);
    }
    if !all {
        term::out(&format!(
            "{} {} {}",
            style("✔").green(),
            style("scripted").bold(),
            style("offline, no real model: answers by a script or simple rules").dim()
        ));
    }
}

/// `$2.50 in · $10 out` for a million tokens.
fn price(price: Option<ModelPrice>) -> String {
    let dollars = |micros: u64| {
        let text = format!("{:.4}", micros as f64 / 1e6);
        format!("${}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match price {
        Some(price) if price.output > 0 => {
            format!("{} in · {} out", dollars(price.input), dollars(price.output))
        }
        Some(price) => format!("{} in", dollars(price.input)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_for_a_million_tokens() {
        let of = |input, output| price(Some(ModelPrice { input, output, ..ModelPrice::default() }));
        assert_eq!(of(2_500_000, 10_000_000), "$2.5 in · $10 out");
        assert_eq!(of(20_000, 0), "$0.02 in");
        assert_eq!(price(None), "");
    }
}
