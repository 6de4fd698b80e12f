export default function TemplatesPage() { return <div>Templates</div>; }
