export default function MonitoringPage() { return <div>Monitoring</div>; }
