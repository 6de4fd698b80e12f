export default function WorkflowsPage() { return <div>Workflows</div>; }
