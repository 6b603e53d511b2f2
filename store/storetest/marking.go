package storetest

var markingTests []testCase
