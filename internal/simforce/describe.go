package simforce

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// The describe structs print every key a real org prints, in its order, which
// is alphabetical. Keys the simulator has nothing to say about are constants.

type describeField struct {
	Aggregatable                 bool            `json:"aggregatable"`
	AIPredictionField            bool            `json:"aiPredictionField"`
	AutoNumber                   bool            `json:"autoNumber"`
	ByteLength                   int             `json:"byteLength"`
	Calculated                   bool            `json:"calculated"`
	CalculatedFormula            *string         `json:"calculatedFormula"`
	CascadeDelete                bool            `json:"cascadeDelete"`
	CaseSensitive                bool            `json:"caseSensitive"`
	CompoundFieldName            *string         `json:"compoundFieldName"`
	ControllerName               *string         `json:"controllerName"`
	Createable                   bool            `json:"createable"`
	Custom                       bool            `json:"custom"`
	DefaultValue                 any             `json:"defaultValue"`
	DefaultValueFormula          *string         `json:"defaultValueFormula"`
	DefaultedOnCreate            bool            `json:"defaultedOnCreate"`
	DependentPicklist            bool            `json:"dependentPicklist"`
	DeprecatedAndHidden          bool            `json:"deprecatedAndHidden"`
	Digits                       int             `json:"digits"`
	DisplayLocationInDecimal     bool            `json:"displayLocationInDecimal"`
	Encrypted                    bool            `json:"encrypted"`
	ExternalID                   bool            `json:"externalId"`
	ExtraTypeInfo                *string         `json:"extraTypeInfo"`
	Filterable                   bool            `json:"filterable"`
	FilteredLookupInfo           any             `json:"filteredLookupInfo"`
	FormulaTreatNullNumberAsZero bool            `json:"formulaTreatNullNumberAsZero"`
	Groupable                    bool            `json:"groupable"`
	HighScaleNumber              bool            `json:"highScaleNumber"`
	HTMLFormatted                bool            `json:"htmlFormatted"`
	IDLookup                     bool            `json:"idLookup"`
	InlineHelpText               *string         `json:"inlineHelpText"`
	Label                        string          `json:"label"`
	Length                       int             `json:"length"`
	Mask                         *string         `json:"mask"`
	MaskType                     *string         `json:"maskType"`
	Name                         string          `json:"name"`
	NameField                    bool            `json:"nameField"`
	NamePointing                 bool            `json:"namePointing"`
	Nillable                     bool            `json:"nillable"`
	Permissionable               bool            `json:"permissionable"`
	PicklistValues               []picklistValue `json:"picklistValues"`
	PolymorphicForeignKey        bool            `json:"polymorphicForeignKey"`
	Precision                    int             `json:"precision"`
	QueryByDistance              bool            `json:"queryByDistance"`
	ReferenceTargetField         *string         `json:"referenceTargetField"`
	ReferenceTo                  []string        `json:"referenceTo"`
	RelationshipName             *string         `json:"relationshipName"`
	RelationshipOrder            *int            `json:"relationshipOrder"`
	RestrictedDelete             bool            `json:"restrictedDelete"`
	RestrictedPicklist           bool            `json:"restrictedPicklist"`
	Scale                        int             `json:"scale"`
	SearchPrefilterable          bool            `json:"searchPrefilterable"`
	SoapType                     string          `json:"soapType"`
	Sortable                     bool            `json:"sortable"`
	Type                         FieldType       `json:"type"`
	Unique                       bool            `json:"unique"`
	Updateable                   bool            `json:"updateable"`
	WriteRequiresMasterRead      bool            `json:"writeRequiresMasterRead"`
}

type picklistValue struct {
	Active       bool    `json:"active"`
	DefaultValue bool    `json:"defaultValue"`
	Label        string  `json:"label"`
	ValidFor     *string `json:"validFor"`
	Value        string  `json:"value"`
}

type childRelationship struct {
	CascadeDelete       bool     `json:"cascadeDelete"`
	ChildSObject        string   `json:"childSObject"`
	DeprecatedAndHidden bool     `json:"deprecatedAndHidden"`
	Field               string   `json:"field"`
	JunctionIDListNames []string `json:"junctionIdListNames"`
	JunctionReferenceTo []string `json:"junctionReferenceTo"`
	RelationshipName    *string  `json:"relationshipName"`
	RestrictedDelete    bool     `json:"restrictedDelete"`
}

// describeHead is what describe and describe global say alike.
type describeHead struct {
	Activateable          bool              `json:"activateable"`
	AssociateEntityType   *string           `json:"associateEntityType"`
	AssociateParentEntity *string           `json:"associateParentEntity"`
	Createable            bool              `json:"createable"`
	Custom                bool              `json:"custom"`
	CustomSetting         bool              `json:"customSetting"`
	DeepCloneable         bool              `json:"deepCloneable"`
	Deletable             bool              `json:"deletable"`
	DeprecatedAndHidden   bool              `json:"deprecatedAndHidden"`
	FeedEnabled           bool              `json:"feedEnabled"`
	HasSubtypes           bool              `json:"hasSubtypes"`
	IsInterface           bool              `json:"isInterface"`
	IsSubtype             bool              `json:"isSubtype"`
	KeyPrefix             string            `json:"keyPrefix"`
	Label                 string            `json:"label"`
	LabelPlural           string            `json:"labelPlural"`
	Layoutable            bool              `json:"layoutable"`
	Mergeable             bool              `json:"mergeable"`
	MruEnabled            bool              `json:"mruEnabled"`
	Name                  string            `json:"name"`
	Queryable             bool              `json:"queryable"`
	Replicateable         bool              `json:"replicateable"`
	Retrieveable          bool              `json:"retrieveable"`
	Searchable            bool              `json:"searchable"`
	Triggerable           bool              `json:"triggerable"`
	Undeletable           bool              `json:"undeletable"`
	Updateable            bool              `json:"updateable"`
	URLs                  map[string]string `json:"urls"`
}

type describeResult struct {
	ActionOverrides    []any               `json:"actionOverrides"`
	ChildRelationships []childRelationship `json:"childRelationships"`
	CompactLayoutable  bool                `json:"compactLayoutable"`
	describeHead
	DefaultImplementation *string          `json:"defaultImplementation"`
	ExtendedBy            *string          `json:"extendedBy"`
	ExtendsInterfaces     *string          `json:"extendsInterfaces"`
	Fields                []describeField  `json:"fields"`
	ImplementedBy         *string          `json:"implementedBy"`
	ImplementsInterfaces  *string          `json:"implementsInterfaces"`
	Listviewable          *bool            `json:"listviewable"`
	LookupLayoutable      *bool            `json:"lookupLayoutable"`
	NamedLayoutInfos      []any            `json:"namedLayoutInfos"`
	NetworkScopeFieldName *string          `json:"networkScopeFieldName"`
	RecordTypeInfos       []recordTypeInfo `json:"recordTypeInfos"`
	SearchLayoutable      any              `json:"searchLayoutable"`
	SobjectDescribeOption string           `json:"sobjectDescribeOption"`
	SupportedScopes       []scopeInfo      `json:"supportedScopes"`
}

type recordTypeInfo struct {
	Active                   bool              `json:"active"`
	Available                bool              `json:"available"`
	DefaultRecordTypeMapping bool              `json:"defaultRecordTypeMapping"`
	DeveloperName            string            `json:"developerName"`
	Master                   bool              `json:"master"`
	Name                     string            `json:"name"`
	RecordTypeID             string            `json:"recordTypeId"`
	URLs                     map[string]string `json:"urls"`
}

type scopeInfo struct {
	Label string `json:"label"`
	Name  string `json:"name"`
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func soapType(t FieldType) string {
	switch t {
	case TypeID, TypeReference:
		return "tns:ID"
	case TypeBoolean:
		return "xsd:boolean"
	case TypeDatetime:
		return "xsd:dateTime"
	case TypeDate:
		return "xsd:date"
	case TypeTime:
		return "xsd:time"
	case TypeDouble, TypeCurrency, TypePercent:
		return "xsd:double"
	case TypeInt:
		return "xsd:int"
	case TypeAny:
		return "xsd:anyType"
	case TypeAddress:
		return "urn:address"
	case TypeBase64:
		return "xsd:base64Binary"
	}
	return "xsd:string"
}

func describeOne(f *Field) describeField {
	d := describeField{
		Aggregatable: f.aggregatable(), AutoNumber: f.AutoNumber,
		Calculated: f.Formula != "", CalculatedFormula: textOrNull(f.Formula),
		CascadeDelete: f.Cascade, CompoundFieldName: textOrNull(f.Compound), Createable: f.createable(), Custom: f.custom(),
		DefaultedOnCreate: f.Default != nil || f.ReadOnly && f.Required,
		Digits:            f.Digits, Filterable: f.filterable(), Groupable: f.groupable(),
		HTMLFormatted: f.HTML, IDLookup: f.IDLookup || f.Type == TypeID, Label: f.Label,
		Length: f.Length, Name: f.Name, NameField: f.NameField, NamePointing: f.polymorphic(),
		Nillable: !f.Required, Permissionable: !f.System && !f.Required,
		PicklistValues: []picklistValue{}, PolymorphicForeignKey: f.polymorphic(),
		Precision: f.Precision, ReferenceTo: []string{}, RelationshipName: textOrNull(f.Relationship),
		RestrictedPicklist: f.Restricted, Scale: f.Scale, SoapType: soapType(f.Type),
		Sortable: f.sortable(), Type: f.Type, Unique: f.AutoNumber, Updateable: f.updateable(),
	}
	switch f.Type {
	case TypeID, TypeReference:
		d.ByteLength = 18
	case TypeString, TypePicklist, TypeCombobox, TypePhone, TypeURL, TypeEmail, TypeTextarea, TypeMultipicklist, TypeEncrypted:
		d.ByteLength = 3 * f.Length
	}
	if f.Type == TypeTextarea {
		kind := "plaintextarea"
		if f.HTML && f.custom() {
			kind = "richtextarea"
		}
		d.ExtraTypeInfo = &kind
	}
	d.Encrypted = f.Type == TypeEncrypted
	if f.Type == TypeBoolean {
		d.DefaultValue = f.Default == true
	}
	if f.ReferenceTo != nil {
		d.ReferenceTo = f.ReferenceTo
	}
	for _, v := range f.Values {
		d.PicklistValues = append(d.PicklistValues, picklistValue{Active: true, DefaultValue: v == f.Default, Label: v, Value: v})
	}
	return d
}

func headOf(o *Object, version string) describeHead {
	base := "/services/data/" + version + "/sobjects/" + o.Name
	return describeHead{
		Createable: !o.ReadOnly, Custom: o.custom(), Deletable: !o.ReadOnly, FeedEnabled: o.Name == "Case",
		KeyPrefix: o.KeyPrefix, Label: o.Label, LabelPlural: o.Plural, Layoutable: true,
		Mergeable: o.mergeable(), MruEnabled: true, Name: o.Name,
		Queryable: true, Replicateable: !o.NoReplication, Retrieveable: true, Searchable: true, Triggerable: true,
		Undeletable: !o.NoUndelete, Updateable: !o.ReadOnly,
		URLs: map[string]string{
			"sobject": base, "describe": base + "/describe", "rowTemplate": base + "/{ID}",
		},
	}
}

// describeObject is the describe of an object as the user sees it.
func (v view) describeObject(o *Object, version string) describeResult {
	d := describeResult{
		describeHead: headOf(o, version), ActionOverrides: []any{}, ChildRelationships: []childRelationship{},
		CompactLayoutable: true, NamedLayoutInfos: []any{}, SearchLayoutable: true, SobjectDescribeOption: "FULL",
		SupportedScopes: []scopeInfo{{"All " + o.Plural, "everything"}, {"My " + o.Plural, "mine"}},
		RecordTypeInfos: []recordTypeInfo{{
			Active: true, Available: true, DefaultRecordTypeMapping: true, DeveloperName: "Master", Master: true, Name: "Master",
			RecordTypeID: "012000000000000AAA",
			URLs:         map[string]string{"layout": "/services/data/" + version + "/sobjects/" + o.Name + "/describe/layouts/012000000000000AAA"},
		}},
	}
	for _, f := range o.Fields {
		if v.sees(o, f) {
			d.Fields = append(d.Fields, describeOne(f))
		}
	}
	for _, child := range v.objects() {
		if !v.visible(child.Name) {
			continue
		}
		for _, f := range child.Fields {
			if f.System || !slices.Contains(f.ReferenceTo, o.Name) || !v.sees(child, f) {
				continue
			}
			r := childRelationship{
				CascadeDelete: f.Cascade, ChildSObject: child.Name, Field: f.Name,
				JunctionIDListNames: []string{}, JunctionReferenceTo: []string{}, RelationshipName: textOrNull(f.Children),
			}
			if child.Name == "EmailMessageRelation" && f.Name == "EmailMessageId" {
				r.JunctionIDListNames, r.JunctionReferenceTo = []string{"BccIds", "CcIds", "ToIds"}, []string{"Contact", "User"}
			}
			d.ChildRelationships = append(d.ChildRelationships, r)
		}
	}
	return d
}

func (s *Server) describeGlobal(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []describeHead{}
	for _, o := range c.view.objects() {
		if c.view.visible(o.Name) {
			list = append(list, headOf(o, c.version))
		}
	}
	return c.conditional(c.view.schemaChanged, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list})
}

func (s *Server) describe(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := c.view.object(c.path[1])
	if t == nil {
		return failed(errNotFound())
	}
	return c.conditional(c.view.schemaChanged, c.view.describeObject(t.obj, c.version))
}

func (s *Server) objectInfo(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := c.view.object(c.path[1])
	if t == nil {
		return failed(errNotFound())
	}
	return okJSON(map[string]any{"objectDescribe": headOf(t.obj, c.version), "recentItems": []any{}})
}

// conditional answers 304 when the caller's copy is still good.
func (c *call) conditional(changed time.Time, v any) *reply {
	body, err := json.Marshal(v)
	if err != nil {
		return failed(refuse(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "An unexpected error occurred: %s", err))
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:4]) + `"`
	h := http.Header{}
	h.Set("ETag", tag)
	h.Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
	if given := c.header.Get("If-None-Match"); given != "" {
		if given == tag {
			return &reply{status: http.StatusNotModified, header: h}
		}
		return &reply{status: http.StatusOK, header: h, body: body}
	}
	if since, err := http.ParseTime(c.header.Get("If-Modified-Since")); err == nil && !changed.Truncate(time.Second).After(since) {
		return &reply{status: http.StatusNotModified, header: h}
	}
	return &reply{status: http.StatusOK, header: h, body: body}
}
