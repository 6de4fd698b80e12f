import { IconChecklist } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { executionsQuery } from "@/api/queries";
import { Loading } from "@/components/Loading";
import { Trouble } from "@/components/Trouble";
import { WaitingList } from "@/components/WaitingList";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { PageFrame } from "@/ui/PageFrame";

export default function ApprovalsPage() {
  const t = useT();
  const { data, error, isPending, refetch } = useQuery(executionsQuery({ status: "waiting", limit: 50 }));
  return (
    <PageFrame title={t("nav.approvals")} lead={t("approvals.lead")}>
      {isPending && <Loading />}
      {error && <Trouble error={error} retry={() => void refetch()} />}
      {data?.items.length === 0 && (
        <Empty icon={IconChecklist} title={t("approvals.empty")} text={t("approvals.emptyHint")} />
      )}
      {data && data.items.length > 0 && <WaitingList items={data.items} />}
    </PageFrame>
  );
}
