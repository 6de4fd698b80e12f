import { Button, Group, Pill, Select } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { executionPages } from "@/api/queries";
import { type Status, STATUSES } from "@/api/types";
import { LinkButton } from "@/components/LinkButton";
import { Loading } from "@/components/Loading";
import { RunList } from "@/components/RunList";
import { Trouble } from "@/components/Trouble";
import { useT } from "@/i18n";
import { executions } from "@/routes";
import { Empty } from "@/ui/Empty";
import { PageFrame } from "@/ui/PageFrame";
import { SearchBox } from "@/ui/SearchBox";

export default function ExecutionsPage() {
  const t = useT();
  const filter = executions.useSearch();
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const { data, error, isPending, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(executionPages(filter));
  const items = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <PageFrame
      wide
      title={t("nav.executions")}
      lead={t("runs.lead")}
      actions={<Filters />}
    >
      {isPending && <Loading rows={8} />}
      {error && <Trouble error={error} retry={() => void refetch()} />}
      {data && items.length === 0 && (
        <Empty
          icon={IconPlayerPlay}
          title={t(filtered ? "runs.noneSuch" : "runs.none")}
          text={filtered ? undefined : t("runs.noneHint")}
          action={
            !filtered && (
              <LinkButton to="/templates">
                {t("home.fromTemplate")}
              </LinkButton>
            )
          }
        />
      )}
      {items.length > 0 && <RunList items={items} />}
      {hasNextPage && (
        <Button mt="md" variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("common.more")}
        </Button>
      )}
    </PageFrame>
  );
}

/** Which runs are shown, as it stands in the address. */
function Filters() {
  const t = useT();
  const navigate = useNavigate();
  const filter = executions.useSearch();
  const change = (part: Partial<typeof filter>, replace = false) =>
    void navigate({ to: "/executions", search: (old) => ({ ...old, ...part }), replace });
  return (
    <Group gap="sm">
      {filter.workflow && (
        <Pill size="md" withRemoveButton onRemove={() => change({ workflow: undefined })} removeButtonProps={{ "aria-label": t("runs.anyWorkflow") }}>
          {t("runs.onlyOf", { workflow: filter.workflow.replace(/\.py$/, "") })}
        </Pill>
      )}
      <SearchBox label={t("runs.search")} value={filter.q} onSearch={(q) => change({ q }, true)} />
      <Select
        w={190}
        aria-label={t("runs.status")}
        placeholder={t("runs.anyStatus")}
        clearable
        value={filter.status ?? null}
        onChange={(status) => change({ status: (status as Status) ?? undefined })}
        data={STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
      />
    </Group>
  );
}
