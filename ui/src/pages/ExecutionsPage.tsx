export default function ExecutionsPage() { return <div>Executions</div>; }
