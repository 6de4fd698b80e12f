import { ActionIcon, Autocomplete, Button, PasswordInput, Tooltip } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { credentialsQuery } from "@/api/queries";
import { useT } from "@/i18n";
import { TimeAgo } from "@/ui/TimeAgo";
import classes from "./ProviderKeys.module.css";
import { Loading } from "./Loading";
import { say } from "./say";
import { Trouble } from "./Trouble";

const PROVIDERS = ["openai", "anthropic", "google", "mistral", "groq", "deepseek", "openrouter", "xai"];

/** The keys of model providers that the server keeps. They go there and never come back. */
export function ProviderKeys() {
  const t = useT();
  const { data, error, refetch } = useQuery(credentialsQuery());
  const [provider, setProvider] = useState("");
  const [value, setValue] = useState("");
  const [busy, setBusy] = useState(false);
  const act = async (ask: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await ask();
      setValue("");
    } catch (error) {
      say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
      void refetch();
    }
  };
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Loading rows={2} />;
  return (
    <div className={classes.keys}>
      {data.items.map((key) => (
        <div key={key.provider} className={classes.row}>
          <span className={classes.provider}>{key.provider}</span>
          <code className={classes.hint}>{key.hint ?? "…"}</code>
          <span className={classes.time}>
            <TimeAgo time={key.updated_at} />
          </span>
          <Tooltip label={t("keys.remove", { provider: key.provider })}>
            <ActionIcon aria-label={t("keys.remove", { provider: key.provider })} onClick={() => void act(() => api.removeCredential(key.provider))}>
              <IconTrash size={16} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
        </div>
      ))}
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          void act(() => api.setCredential(provider.trim(), value.trim()));
        }}
      >
        <Autocomplete label={t("keys.provider")} data={PROVIDERS} value={provider} onChange={setProvider} w={180} />
        <PasswordInput
          label={t("keys.key")}
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
          autoComplete="off"
          className={classes.value}
        />
        <Button type="submit" size="sm" loading={busy} disabled={provider.trim() === "" || value.trim() === ""}>
          {t("keys.set")}
        </Button>
      </form>
    </div>
  );
}
