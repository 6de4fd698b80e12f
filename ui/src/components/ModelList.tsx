import { TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { modelsQuery } from "@/api/queries";
import { useSpeech } from "@/i18n";
import { List } from "@/ui/List";
import { money } from "@/util/format";
import { Loading } from "./Loading";
import classes from "./ModelList.module.css";
import { Trouble } from "./Trouble";

/** A provider may list hundreds; one looks for a name. */
const SHOWN_MAX = 12;

/** The models that runs can ask, with what a million tokens cost. */
export function ModelList() {
  const { t, locale } = useSpeech();
  const { data, error, refetch } = useQuery(modelsQuery());
  const [search, setSearch] = useState("");
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Loading rows={2} />;
  const silent = data.items.filter((provider) => provider.problem);
  const models = data.items.flatMap(({ provider, models }) =>
    models.map(({ name, price }) => ({ name: `${provider}/${name}`, price })),
  );
  const found = models.filter(({ name }) => name.toLowerCase().includes(search.trim().toLowerCase()));
  const shown = found.slice(0, SHOWN_MAX);
  const priced = (micros: number | undefined | null) => (micros == null ? "–" : money(micros, locale));
  return (
    <>
      {models.length > SHOWN_MAX && (
        <TextInput
          mb="sm"
          maw={320}
          leftSection={<IconSearch size={15} />}
          aria-label={t("models.search")}
          placeholder={t("models.search")}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      {shown.length > 0 && (
        <List
          label={t("models.title")}
          items={shown}
          keyOf={(model) => model.name}
          columns={[
            { label: t("models.model"), cell: (model) => <code>{model.name}</code> },
            { label: t("models.sent"), cell: (model) => <span className="numeric">{priced(model.price?.input)}</span>, end: true, width: "130px" },
            { label: t("models.received"), cell: (model) => <span className="numeric">{priced(model.price?.output)}</span>, end: true, width: "130px" },
            {
              label: t("models.cached"),
              cell: (model) => <span className="numeric">{priced(model.price?.cached_read)}</span>,
              end: true,
              width: "130px",
              minor: true,
            },
          ]}
        />
      )}
      {shown.length === 0 && silent.length === 0 && <p className={classes.quiet}>{t("models.none")}</p>}
      {found.length > shown.length && <p className={classes.quiet}>{t("models.more", { count: found.length - shown.length })}</p>}
      {silent.length > 0 && (
        <details className={classes.silent}>
          <summary>{t("models.silent", { count: silent.length })}</summary>
          {silent.map(({ provider, problem }) => (
            <p key={provider} className={classes.quiet}>
              <code>{provider}</code> · {problem}
            </p>
          ))}
        </details>
      )}
    </>
  );
}
