// Package posts is the plugin as the gateway sees it: its manifest and its HTTP
// answers. It checks what comes in and words what goes out; what is kept, and who
// may remove it, is the store package's business.
//
//	POST   /posts                        {"body"}: 201 and the post
//	GET    /posts?limit&before           {"items", "next"}, newest first
//	GET    /posts/{id}                   the post
//	DELETE /posts/{id}                   204
//	GET    /posts/{id}/comments?limit&after   {"items", "next"}, oldest first
//	POST   /posts/{id}/comments          {"body"}: 201 and the comment
//	DELETE /posts/{id}/comments/{comment}     204
//	PUT    /posts/{id}/reactions/{kind}  the post; kind is like or heart
//	DELETE /posts/{id}/reactions/{kind}  the post
//
// A device removes what it wrote itself. The owner at the machine where the posts
// are kept removes anything, as they could by deleting the file. Lists are
// followed by passing "next", until it is null, as "before" or "after".
//
// A post has at most 2,000 characters and a comment 500, counted after cleaning;
// the text package says what a character is and what cleaning does.
package posts
