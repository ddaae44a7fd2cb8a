// Who looks at the page. Nothing here touches the page.

/** The gateway's answer about this session, with everything in its place. */
export function who(answer) {
  return {
    owner: answer?.owner === true,
    name: answer?.name || '',
    gateway: answer?.gateway?.name || 'this gateway',
    permissions: Array.isArray(answer?.permissions) ? answer.permissions : null,
  };
}

/**
 * Whether to offer sending files here. Where the gateway does not say what this
 * device may do, it is offered, and the gateway's refusal says the rest.
 */
export function mayUpload({ permissions }) {
  return permissions === null || permissions.some((pattern) => covers(pattern, 'media', 'upload'));
}

function covers(pattern, plugin, action) {
  if (pattern === '*') return true;
  const [p, a] = String(pattern).split(':');
  return (p === '*' || p === plugin) && (a === '*' || a === action);
}
