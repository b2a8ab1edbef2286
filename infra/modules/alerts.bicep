// The alerts and whom they mail. alerts.json says what each looks for; docs/operations.md what to do when one comes.

param location string
param tags object
param insightsId string

@description('Mail addresses, separated by commas.')
param emails string

var addresses = filter(map(split(emails, ','), one => trim(one)), one => !empty(one))
var alerts = loadJsonContent('../alerts.json')

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-closure'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'closure'
    emailReceivers: [
      for each in addresses: {
        name: each
        emailAddress: each
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for each in alerts: {
    name: each.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: each.title
      description: each.description
      severity: each.severity
      enabled: true
      autoMitigate: true // One mail for each subject until it is over, not one every few minutes.
      scopes: [
        insightsId
      ]
      evaluationFrequency: each.every
      windowSize: each.window
      criteria: {
        allOf: [
          {
            query: each.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: [
              {
                name: 'subject'
                operator: 'Include'
                values: [
                  '*'
                ]
              }
            ]
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          operators.id
        ]
      }
    }
  }
]
