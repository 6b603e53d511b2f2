package stix

// domainTable are the STIX Domain Objects (§4).
var domainTable = []spec{
	{"attack-pattern", "4.1.1", `name!:string description:string aliases:[string] kill_chain_phases:[{kill-chain-phase}]`,
		checkAttackPattern},
	{"campaign", "4.2.1", `name!:string description:string aliases:[string] first_seen:time last_seen:time
		objective:string`, checkSeen},
	{"course-of-action", "4.3.1", `name!:string description:string`, nil},
	{"grouping", "4.4.1", `name:string description:string context!:@grouping-context-ov object_refs!:[ref(*)]`, nil},
	{"identity", "4.5.1", `name!:string description:string roles:[string] identity_class:@identity-class-ov
		sectors:[@industry-sector-ov] contact_information:string`, nil},
	{"incident", "4.6.1", `name!:string description:string`, nil},
	{"indicator", "4.7.1", `name:string description:string indicator_types:[@indicator-type-ov] pattern!:string
		pattern_type!:@pattern-type-ov pattern_version:string valid_from!:time valid_until:time
		kill_chain_phases:[{kill-chain-phase}]`, checkIndicator},
	{"infrastructure", "4.8.1", `name!:string description:string infrastructure_types:[@infrastructure-type-ov]
		aliases:[string] kill_chain_phases:[{kill-chain-phase}] first_seen:time last_seen:time`, checkSeen},
	{"intrusion-set", "4.9.1", `name!:string description:string aliases:[string] first_seen:time last_seen:time
		goals:[string] resource_level:@attack-resource-level-ov primary_motivation:@attack-motivation-ov
		secondary_motivations:[@attack-motivation-ov]`, checkSeen},
	{"location", "4.10.1", `name:string description:string latitude:float(-90,90) longitude:float(-180,180)
		precision:float region:@region-ov country:string administrative_area:string city:string
		street_address:string postal_code:string`, checkLocation},
	{"malware", "4.11.1", `name:string description:string malware_types:[@malware-type-ov] is_family!:bool
		aliases:[string] kill_chain_phases:[{kill-chain-phase}] first_seen:time last_seen:time
		operating_system_refs:[ref(software)] architecture_execution_envs:[@processor-architecture-ov]
		implementation_languages:[@implementation-language-ov] capabilities:[@malware-capabilities-ov]
		sample_refs:[ref(file|artifact)]`, checkMalware},
	{"malware-analysis", "4.12.1", `product!:string version:string host_vm_ref:ref(software)
		operating_system_ref:ref(software) installed_software_refs:[ref(software)] configuration_version:string
		modules:[string] analysis_engine_version:string analysis_definition_version:string submitted:time
		analysis_started:time analysis_ended:time result_name:string result:@malware-result-ov
		analysis_sco_refs:[ref(SCO)] sample_ref:ref(file|network-traffic|artifact)`, checkMalwareAnalysis},
	{"note", "4.13.1", `abstract:string content!:string authors:[string] object_refs!:[ref(*)]`, nil},
	{"observed-data", "4.14.1", `first_observed!:time last_observed!:time number_observed!:int(1,999999999)
		objects:container object_refs:[ref(SCO|SRO)]`, checkObservedData},
	{"opinion", "4.15.1", `explanation:string authors:[string] opinion!:@opinion-enum object_refs!:[ref(*)]`, nil},
	{"report", "4.16.1", `name!:string description:string report_types:[@report-type-ov] published!:time
		object_refs!:[ref(*)]`, nil},
	{"threat-actor", "4.17.1", `name!:string description:string threat_actor_types:[@threat-actor-type-ov]
		aliases:[string] first_seen:time last_seen:time roles:[@threat-actor-role-ov] goals:[string]
		sophistication:@threat-actor-sophistication-ov resource_level:@attack-resource-level-ov
		primary_motivation:@attack-motivation-ov secondary_motivations:[@attack-motivation-ov]
		personal_motivations:[@attack-motivation-ov]`, checkSeen},
	{"tool", "4.18.1", `name!:string description:string tool_types:[@tool-type-ov] aliases:[string]
		kill_chain_phases:[{kill-chain-phase}] tool_version:string`, nil},
	{"vulnerability", "4.19.1", `name!:string description:string`, checkVulnerability},
}

// relationshipTable are the STIX Relationship Objects (§5).
var relationshipTable = []spec{
	{"relationship", "5.1.2", `relationship_type!:string description:string source_ref!:ref(SDO|SCO)
		target_ref!:ref(SDO|SCO) start_time:time stop_time:time`, checkRelationship},
	{"sighting", "5.2.1", `description:string first_seen:time last_seen:time count:int(0,999999999)
		sighting_of_ref!:ref(SDO) observed_data_refs:[ref(observed-data)]
		where_sighted_refs:[ref(identity|location)] summary:bool`, checkSeen},
}

// The meta objects (§7).
var (
	languageContent = spec{"language-content", "7.1.1", `object_ref!:ref(*) object_modified:time
		contents!:translations`, nil}
	markingDefinition = spec{"marking-definition", "7.2.1", `name:string definition_type:string definition:any`,
		checkMarkingDefinition}
	extensionDefinition = spec{"extension-definition", "7.3.1", `name!:string description:string schema!:string
		version!:string extension_types!:[@extension-type-enum] extension_properties:[string]`, checkExtensionDefinition}
)
