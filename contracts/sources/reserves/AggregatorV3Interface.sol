// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The view by which contracts read feeds of Chainlink (docs.chain.link, AggregatorV3Interface). Nobody of
/// Chainlink stands behind what implements it here.
interface AggregatorV3Interface {
    function decimals() external view returns (uint8);
    function description() external view returns (string memory);
    function version() external view returns (uint256);
    function getRoundData(uint80 id)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
