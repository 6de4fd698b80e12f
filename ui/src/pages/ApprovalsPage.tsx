export default function ApprovalsPage() { return <div>Approvals</div>; }
