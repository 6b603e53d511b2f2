package taxii

import "html/template"

// PageStyle is the style sheet of the pages for people, for a page beside TAXII that is to look like them.
func PageStyle() template.CSS { return template.CSS(pageStyle) }

// PagePolicy is the Content-Security-Policy of such a page: that style sheet in a style element, and nothing else.
func PagePolicy() string { return pagePolicy }
