package stix

// For the tests that need package pattern, which imports this one.
var (
	CorpusPath         = corpusPath
	GeneratedIndicator = generatedIndicator
	GeneratedBundle    = generatedBundle
)
