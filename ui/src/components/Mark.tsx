/** Two threads over and under two others. */
export function Mark({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#2b4587" />
      <g fill="none" strokeWidth="3" strokeLinecap="round">
        <path stroke="#fff" d="M7 11.5h4.2M15 11.5h10M7 20.5h10M20.8 20.5H25" />
        <path stroke="#e3b04b" d="M13 7v10.2M13 23.8V25M19 7v1.2M19 14.8V25" />
      </g>
    </svg>
  );
}
