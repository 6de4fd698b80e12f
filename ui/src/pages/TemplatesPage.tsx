import { TextInput } from "@mantine/core";
import { IconLayoutGrid, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { templatesQuery } from "@/api/queries";
import { Loading } from "@/components/Loading";
import { TemplateCards } from "@/components/TemplateCards";
import { Trouble } from "@/components/Trouble";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { PageFrame } from "@/ui/PageFrame";

export default function TemplatesPage() {
  const t = useT();
  const { data, error, isPending, refetch } = useQuery(templatesQuery());
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const found = data?.items.filter(({ title, summary, tags }) => `${title} ${summary} ${tags.join(" ")}`.toLowerCase().includes(wanted));
  return (
    <PageFrame
      title={t("nav.templates")}
      lead={t("templates.lead")}
      actions={
        <TextInput
          aria-label={t("templates.search")}
          placeholder={t("templates.search")}
          leftSection={<IconSearch size={15} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          w={240}
        />
      }
    >
      {isPending && <Loading />}
      {error && <Trouble error={error} retry={() => void refetch()} />}
      {found?.length === 0 && <Empty icon={IconLayoutGrid} title={t("palette.nothing")} />}
      {found && found.length > 0 && <TemplateCards items={found} />}
    </PageFrame>
  );
}
