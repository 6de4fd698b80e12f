export default function ExecutionPage() { return <div>Execution</div>; }
